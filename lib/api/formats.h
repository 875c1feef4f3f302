// The grammars of strings: the check that we run, the pattern that an API server runs, and the words for people.
// Hand-written checks: a thousand Functions are admitted again and again. Thread-safety: pure functions.
#pragma once

#include <string_view>

#include "api/descriptor.h"

namespace pilotlight::api {

struct FormatInfo {
  std::string_view name;     ///< of the format, for the reference
  std::string_view pattern;  ///< RE2, anchored; empty: none
  std::string_view allowed;  ///< "must be …"
  bool (*check)(std::string_view text);
};

const FormatInfo& formatInfo(Format format);

/// Metadata names of our kinds: a DNS-1035 label (a letter first) of at most `maxLength` characters.
bool isDnsLabel(std::string_view text);
bool isSubdomain(std::string_view text);  ///< DNS-1123, at most 253 characters
/// "prefix.example/name" or "name", as Kubernetes wants the keys of labels and annotations.
bool isQualifiedName(std::string_view text);
bool isLabelValue(std::string_view text);
/// An address range of IPv4 or IPv6: 10.1.0.0/16, fd00::/8.
bool isCidr(std::string_view text);
/// '/', or segments that are literals, {parameters}, or a final {proxy+}. Uniqueness of the names is a rule of its own.
bool isRoutePath(std::string_view text);
bool hasDuplicateParameters(std::string_view path);

/// Number of Unicode code points of valid UTF-8.
std::size_t countCharacters(std::string_view text);
bool isUtf8(std::string_view text);

/// The name in `known` nearest to `word`, or empty when none is close enough to be what was meant.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace pilotlight::api
