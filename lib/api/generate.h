// The two kinds of generated files. Internal to lib/api; see generatedFiles() in api.h.
#pragma once

#include <string>

#include "api/kinds.h"

namespace pilotlight::api {

inline constexpr const char* kDurationPattern = R"(^([0-9]+(\.[0-9]{1,3})?[hms]|[0-9]+ms)+$)";
inline constexpr const char* kBytesPattern = R"(^[0-9]+(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?$)";
inline constexpr const char* kCpuPattern = R"(^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$)";

/// The CustomResourceDefinition of a kind, as YAML.
std::string crdYaml(const KindInfo& kind);
/// docs/reference.md, all kinds.
std::string referenceMarkdown();

/// A bound in the words of its type: 10 -> "10ms", 4194304 -> "4Mi".
std::string boundText(Kind kind, std::int64_t value);

}  // namespace pilotlight::api
