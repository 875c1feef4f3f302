// What a Pod's template says about its process: variables, arguments, mounts; resolved against the API.
// Thread-safety: one thread per PodSources.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/local/sources.h"

namespace pilotlight::local {

/// Reads the Secrets and ConfigMaps of one Pod and remembers which they were.
class PodSources {
 public:
  PodSources(kube::Client& client, std::string namespace_) : client_(client), namespace_(std::move(namespace_)) {}

  /// The error is the kubelet's: `secret "db" not found`. nullopt only when absent and `optional`.
  std::expected<std::optional<SourceData>, std::string> read(SourceKind kind, const std::string& name, bool optional);
  bool uses(const SourceName& source) const { return seen_.contains(source); }

 private:
  kube::Client& client_;
  const std::string namespace_;
  std::set<SourceName> seen_;
};

using Variables = std::map<std::string, std::string>;

/// A container's env and envFrom, with valueFrom looked up and $(NAME) expanded as in Kubernetes. The error is what the
/// kubelet says with CreateContainerConfigError; it names objects and keys, never contents.
std::expected<Variables, std::string> resolveVariables(PodSources& sources, const kube::Object& pod, const kube::Json& container,
                                                       const std::string& podIp);
/// Replaces $(NAME) by the variable; $$ stands for $; what is not defined stays.
std::string expand(const std::string& text, const Variables& variables);
std::vector<std::string> resolveArguments(const kube::Json& container, const Variables& variables);

/// Lays out every volume that the container mounts below `root`: Secrets and ConfigMaps as files, others as empty folders.
/// May be repeated; only what changed is written.
std::expected<void, std::string> layOutMounts(PodSources& sources, const kube::Object& pod, const kube::Json& container,
                                              const std::filesystem::path& root);

}  // namespace pilotlight::local
