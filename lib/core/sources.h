// Secrets and ConfigMaps that a Function names: which change, which are missing. Only names and revisions, never contents.
// Pure functions.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

/// On pod templates: the revisions of what the replicas have variables from, as JSON. Another value replaces the replicas.
inline constexpr const char* kAnnotationEnvSources = "pilotlight.dev/env-sources";

enum class SourceKind { secret, configMap };

struct Source {
  SourceKind kind = SourceKind::secret;
  std::string name;
  auto operator<=>(const Source&) const = default;
};

/// What may be seen of Secrets and ConfigMaps in the Function's namespace.
struct SourceView {
  enum class Sight {
    none,    ///< the operator has no right to see them
    notYet,  ///< it asked for them, and has no answer yet
    clear,
  };
  Sight sight = Sight::none;
  std::map<Source, std::string> revisions;  ///< with a clear sight, of what is there
};

/// "Secret db"
std::string toString(const Source& source);
std::vector<Source> sourcesOf(const api::FunctionSpec& spec);
/// Those that give variables.
std::vector<Source> envSourcesOf(const api::FunctionVersionSpec& spec);

/// The first that is not there, as far as can be seen.
std::optional<Source> missingSource(const std::vector<Source>& sources, const SourceView& view);
/// Read out of the kubelet's message: `… secret "db" not found`.
std::optional<Source> missingSource(std::string_view message);

/// The value of kAnnotationEnvSources; empty: none. What can't be seen, or is not there, keeps what `before` says: replicas are
/// replaced for a new content, not for a lost sight.
std::string envSourceRevisions(const api::FunctionVersionSpec& spec, const SourceView& view, const std::string& before);

}  // namespace pilotlight::core
