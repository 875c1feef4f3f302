// YAML files of Kubernetes objects, read with positions so that an error can name file, line and field.
// Thread-safety: pure functions.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"

namespace pilotlight::api {

struct Manifest {
  Json object;   ///< defaults written in
  int line = 0;  ///< of the document's first key, from 1
};

/// "examples/hello/function.yaml:12: spec.scale.min: must be at least 0 (got -1)"
struct ManifestError {
  std::string file;
  int line = 0;       ///< from 1; the line of the named field, or of its parent when it is missing
  std::string field;  ///< may be empty (a YAML syntax error)
  std::string message;
  std::string toString() const;
};

struct ManifestOptions {
  /// Local mode pulls no image: a Function may leave `image` out and gets this placeholder. Empty: image is required.
  std::string imageWhenAbsent;
};

/// Reads all documents of one file. Nothing is returned unless every document is well-formed and every Function in it
/// is valid (see readFunction); otherwise all errors of the file. Anchors and merge keys are resolved, bounded in depth
/// and size. Accepted kinds: Function, Secret (stringData too), ConfigMap; others are errors that say what is allowed.
std::expected<std::vector<Manifest>, std::vector<ManifestError>> readManifests(std::string_view file, std::string_view text,
                                                                               const ManifestOptions& options = {});

}  // namespace pilotlight::api
