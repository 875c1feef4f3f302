// Reading Secrets and ConfigMaps, the sources of mounted files and of variables.
// Thread-safety: any thread.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kube/client.h"

namespace pilotlight::local {

enum class SourceKind { secret, configMap };

struct SourceName {
  SourceKind kind = SourceKind::secret;
  kube::Key key;
  auto operator<=>(const SourceName&) const = default;
};

/// `secret "db"`, as the kubelet names it in messages.
std::string toString(const SourceName& source);

/// Key to content. The content of a Secret belongs into files and variables only: never into a message or a status.
using SourceData = std::map<std::string, std::string>;

/// nullopt: there is no such object. The error names the object, and the key whose content can't be read.
std::expected<std::optional<SourceData>, std::string> readSource(kube::Client& client, const SourceName& source);

}  // namespace pilotlight::local
