// What the commands that take files share: reading them as given, and applying what they hold.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/manifest_files.h"

namespace pilotlight::cli {

/// Files, folders and "-". Every file on its own: a wrong one keeps nothing of the others back.
std::expected<std::vector<ManifestFile>, std::string> readGiven(Context& context, const std::vector<std::string>& given, bool local,
                                                                const std::string& namespace_);
/// 1 when there are any.
int printErrors(Context& context, const std::vector<ManifestFile>& files);
kube::Key keyOf(const kube::Json& object);

struct AppliedObjects {
  int code = 0;                       ///< 1: some were refused, and that is printed
  std::vector<kube::Object> objects;  ///< as the server has them now
};
/// Server-side apply of all of them, a line for each.
AppliedObjects applyFiles(Context& context, Connection& connection, const ApplyFileOptions& options);

}  // namespace pilotlight::cli
