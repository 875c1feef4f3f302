#include "api/formats.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace pilotlight::api {
namespace {

bool isLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool isUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isAlnum(char c) {
  return isLower(c) || isUpper(c) || isDigit(c);
}
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Calls `check` with each part between separators; false as soon as one is refused.
template <class Check>
bool eachPart(std::string_view text, char separator, Check check) {
  while (true) {
    std::size_t end = text.find(separator);
    if (!check(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool isLabel1123(std::string_view text) {
  auto inner = [](char c) { return isLower(c) || isDigit(c) || c == '-'; };
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' && std::ranges::all_of(text, inner);
}

bool anyText(std::string_view) {
  return true;
}
bool isText(std::string_view text) {
  return text.find('\0') == std::string_view::npos;
}

bool isEnvName(std::string_view text) {
  auto inner = [](char c) { return isAlnum(c) || c == '_' || c == '-' || c == '.'; };
  return !text.empty() && !isDigit(text.front()) && std::ranges::all_of(text, inner);
}

bool isAbsolutePath(std::string_view text) {
  if (!text.starts_with('/')) return false;
  return eachPart(text.substr(1), '/', [](std::string_view part) {
    auto allowed = [](char c) { return c != ':' && static_cast<unsigned char>(c) >= 0x20; };
    return !part.empty() && part != "." && part != ".." && std::ranges::all_of(part, allowed);
  });
}

bool isUrlPath(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~' && c != '#'; });
}

bool isLocalPath(std::string_view text) {
  return text.starts_with('/') && eachPart(text.substr(1), '/', isLabel1123);
}

bool isMethod(std::string_view text) {
  auto inner = [](char c) { return isUpper(c) || isDigit(c) || c == '-' || c == '_'; };
  return !text.empty() && isUpper(text.front()) && std::ranges::all_of(text, inner);
}

bool isImage(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~'; });
}

bool isLiteralSegment(std::string_view part) {
  if (part.empty() || part == "." || part == "..") return false;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '%') {
      if (i + 2 >= part.size() || !isHex(part[i + 1]) || !isHex(part[i + 2])) return false;
      i += 2;
    } else if (!isAlnum(part[i]) && std::string_view("-._~!$&'()*+,;=:@").find(part[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool isParameter(std::string_view part) {
  if (part.size() < 3 || part.front() != '{' || part.back() != '}') return false;
  std::string_view name = part.substr(1, part.size() - 2);
  auto inner = [](char c) { return isAlnum(c) || c == '_' || c == '-'; };
  return (isLower(name.front()) || isUpper(name.front()) || name.front() == '_') && std::ranges::all_of(name, inner);
}

constexpr std::string_view kRest = "/{proxy+}";

// Patterns are RE2 with the same language as the checks. RE2 has no look-ahead, so "not . or .." is spelt out.
constexpr std::array<FormatInfo, 13> kFormats = {{
    {"", "", "", anyText},
    {"text without NUL", R"(^[^\x00]*$)", "must not contain NUL characters", isText},
    {"DNS label", "^[a-z]([-a-z0-9]*[a-z0-9])?$", "must be a DNS label: lower-case letters, digits and '-', a letter first and no '-' last",
     isDnsLabel},
    {"DNS subdomain", R"(^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$)",
     "must be a name of lower-case letters, digits, '-' and '.', with a letter or digit at both ends", isSubdomain},
    {"host name", R"(^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$)",
     "must be a host name such as api.example.com: lower case, without a scheme, port or path", isSubdomain},
    {"variable name", "^[-._a-zA-Z][-._a-zA-Z0-9]*$", "must be letters, digits, '_', '-' and '.', without a digit first", isEnvName},
    {"absolute path", R"(^(/([^/:.\x00-\x1f][^/:\x00-\x1f]*|\.[^/:.\x00-\x1f][^/:\x00-\x1f]*|\.\.[^/:\x00-\x1f]+))+$)",
     "must be an absolute path such as /etc/orders, without ':', '.', '..' or a '/' at the end", isAbsolutePath},
    {"URL path", R"(^/[!-"$-~]*$)", "must be a URL path that starts with '/', without spaces or '#'", isUrlPath},
    {"URL prefix", R"(^(/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$)", "must be a path of DNS labels such as /hello", isLocalPath},
    {"route path",
     R"(^(/|(/(([-_~!$&'()*+,;=:@A-Za-z0-9]|%[0-9A-Fa-f]{2})([-._~!$&'()*+,;=:@A-Za-z0-9]|%[0-9A-Fa-f]{2})*)"
     R"(|\.([-_~!$&'()*+,;=:@A-Za-z0-9]|%[0-9A-Fa-f]{2})([-._~!$&'()*+,;=:@A-Za-z0-9]|%[0-9A-Fa-f]{2})*)"
     R"(|\.\.([-._~!$&'()*+,;=:@A-Za-z0-9]|%[0-9A-Fa-f]{2})+|\{[A-Za-z_][-_A-Za-z0-9]*\}))*(/\{proxy\+\})?)$)",
     "must start with '/' and consist of literal segments, {parameters} and at most one {proxy+} as the last segment, for example "
     "/users/{id}",
     isRoutePath},
    {"HTTP method", "^[A-Z][-_A-Z0-9]*$", "must be an HTTP method in upper case such as GET", isMethod},
    {"image reference", "^[!-~]+$", "must be an image reference without spaces", isImage},
    {"label value", "^(([A-Za-z0-9][-._A-Za-z0-9]*)?[A-Za-z0-9])?$",
     "must be at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends", isLabelValue},
}};

}  // namespace

const FormatInfo& formatInfo(Format format) {
  return kFormats[static_cast<std::size_t>(format)];
}

bool isDnsLabel(std::string_view text) {
  return isLabel1123(text) && isLower(text.front());
}

bool isSubdomain(std::string_view text) {
  return text.size() <= 253 && eachPart(text, '.', isLabel1123);
}

bool isCidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string address(text.substr(0, slash));
  const std::string_view length = text.substr(slash + 1);
  std::array<unsigned char, 16> bytes{};
  const bool v4 = inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
  if (!v4 && inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return false;
  if (length.empty() || length.size() > 3 || !std::ranges::all_of(length, isDigit) || (length.size() > 1 && length.front() == '0'))
    return false;
  return std::stoi(std::string(length)) <= (v4 ? 32 : 128);
}

bool isLabelValue(std::string_view text) {
  auto inner = [](char c) { return isAlnum(c) || c == '-' || c == '_' || c == '.'; };
  return text.empty() || (text.size() <= 63 && isAlnum(text.front()) && isAlnum(text.back()) && std::ranges::all_of(text, inner));
}

bool isQualifiedName(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return !text.empty() && isLabelValue(text);
  std::string_view name = text.substr(slash + 1);
  return isSubdomain(text.substr(0, slash)) && !name.empty() && isLabelValue(name);
}

bool isRoutePath(std::string_view text) {
  if (text == "/" || text == kRest) return true;
  if (text.ends_with(kRest)) text.remove_suffix(kRest.size());
  if (!text.starts_with('/')) return false;
  return eachPart(text.substr(1), '/', [](std::string_view part) { return isParameter(part) || isLiteralSegment(part); });
}

bool hasDuplicateParameters(std::string_view path) {
  std::vector<std::string_view> seen;
  bool unique = eachPart(path, '/', [&seen](std::string_view part) {
    if (!part.starts_with('{')) return true;
    if (std::ranges::find(seen, part) != seen.end()) return false;
    seen.push_back(part);
    return true;
  });
  return !unique;
}

std::size_t countCharacters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool isUtf8(std::string_view text) {
  std::size_t i = 0;
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    unsigned char lead = byte(i);
    std::size_t length = lead < 0x80                   ? 1
                         : lead >= 0xC2 && lead < 0xE0 ? 2
                         : lead >= 0xE0 && lead < 0xF0 ? 3
                         : lead >= 0xF0 && lead < 0xF5 ? 4
                                                       : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    // Overlong forms, surrogates and values past U+10FFFF.
    if ((lead == 0xE0 && byte(i + 1) < 0xA0) || (lead == 0xED && byte(i + 1) > 0x9F) || (lead == 0xF0 && byte(i + 1) < 0x90) ||
        (lead == 0xF4 && byte(i + 1) > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

namespace {

/// Levenshtein's distance, ignoring case.
std::size_t distance(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return isUpper(c) ? static_cast<char>(c + 32) : c; };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > 64) return {};
  std::string_view best;
  // Two letters swapped are two changes: a word of three letters may differ by that much.
  std::size_t bestDistance = std::min<std::size_t>(3, (word.size() + 1) / 2) + 1;
  for (std::string_view candidate : known) {
    std::size_t d = distance(word, candidate);
    if (d < bestDistance) {
      bestDistance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace pilotlight::api
