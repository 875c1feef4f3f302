// Reading, writing, checking and describing the resource types. See types.h for the types themselves.
// Thread-safety: all functions are pure and may be called from any thread.
#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"

namespace pilotlight::api {

using Json = nlohmann::json;

/// One thing wrong with an object. `path` is the field's path as kubectl shows it: `spec.scale.min`, `spec.env[2].name`.
struct FieldError {
  std::string path;
  std::string message;  ///< what is wrong and what is allowed, without the path
};
using FieldErrors = std::vector<FieldError>;

/// "spec.scale.min: must be at least 0; spec.handler: required"
std::string toString(const FieldErrors& errors);

/// Reading fails on unknown fields, wrong types, out-of-range values and broken cross-field rules, and collects every
/// error. Absent fields take their defaults. metadata is read leniently (unknown fields are ignored).
std::expected<Function, FieldErrors> readFunction(const Json& object);
std::expected<FunctionVersion, FieldErrors> readFunctionVersion(const Json& object);
std::expected<FunctionRoute, FieldErrors> readFunctionRoute(const Json& object);

/// Whole objects with apiVersion and kind; empty metadata members are left out, defaults are written out.
/// Status is included by write(Function) and write(FunctionRoute) only when it is not empty.
Json write(const Function& function);
Json write(const FunctionVersion& version);
Json write(const FunctionRoute& route);
Json writeSpec(const FunctionSpec& spec);
Json writeStatus(const FunctionStatus& status);
Json writeStatus(const FunctionRouteStatus& status);
Json write(const Condition& condition);

/// What an API server does with a custom resource before it stores it: check against the schema and the rules,
/// and write the defaults in. Returns the object to store.
/// For kinds other than Function, FunctionVersion, FunctionRoute the object comes back as it is.
std::expected<Json, FieldErrors> admit(const Json& object);

/// The CustomResourceDefinitions as YAML, one per kind, with the file name they are kept under.
struct GeneratedFile {
  std::string path;  ///< relative to the repository: crds/pilotlight.dev_functions.yaml, docs/reference.md
  std::string content;
};
std::vector<GeneratedFile> generatedFiles();

/// "30s", "1m30s", "250ms", "1h" <-> Duration. Errors say what is allowed.
std::expected<Duration, std::string> parseDuration(std::string_view text);
std::string formatDuration(Duration duration);
/// "64Mi", "1G", "512" <-> Bytes; "500m", "2", "0.5" <-> MilliCpu.
std::expected<Bytes, std::string> parseBytes(std::string_view text);
std::string formatBytes(Bytes bytes);
std::expected<MilliCpu, std::string> parseCpu(std::string_view text);
std::string formatCpu(MilliCpu cpu);

/// RFC 3339 in UTC with seconds ("2026-01-31T12:00:00Z"), as Kubernetes writes times.
std::string formatTime(std::chrono::system_clock::time_point time);
std::optional<std::chrono::system_clock::time_point> parseTime(std::string_view text);

}  // namespace pilotlight::api
