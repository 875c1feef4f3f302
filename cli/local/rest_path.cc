#include <algorithm>

#include "cli/local/rest.h"

namespace pilotlight::local {

namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto end = path.find('/');
    parts.push_back(percentDecode(path.substr(0, end)));
    path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  }
  if (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

const kube::Resource* findPlural(std::string_view group, std::string_view version, std::string_view plural) {
  const auto& all = kube::resources::all();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& r) { return r.group == group && r.version == version && r.plural == plural; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

std::string percentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%' && i + 2 < text.size() && hexDigit(text[i + 1]) >= 0 && hexDigit(text[i + 2]) >= 0;
    if (!escaped) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(hexDigit(text[i + 1]) * 16 + hexDigit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::optional<ApiPath> parseApiPath(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  const auto parts = segments(path);
  const bool core = !parts.empty() && parts[0] == "api";
  std::size_t at = core ? 2 : 3;
  if (parts.size() <= at || (!core && parts[0] != "apis")) return std::nullopt;
  ApiPath result;
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    result.namespace_ = parts[at + 1];
    at += 2;
  }
  const auto* resource = core ? findPlural("", parts[1], parts[at]) : findPlural(parts[1], parts[2], parts[at]);
  if (resource == nullptr || parts.size() > at + 3) return std::nullopt;
  result.resource = *resource;
  if (parts.size() > at + 1) result.name = parts[at + 1];
  if (parts.size() > at + 2) result.subresource = parts[at + 2];
  if (!result.name.empty() && result.namespace_.empty()) return std::nullopt;  // every resource here is namespaced
  return result;
}

Query parseQuery(std::string_view query) {
  Query result;
  while (!query.empty()) {
    const auto end = query.find('&');
    std::string pair(query.substr(0, end));
    std::replace(pair.begin(), pair.end(), '+', ' ');
    const auto equals = pair.find('=');
    const auto name = percentDecode(std::string_view(pair).substr(0, equals));
    if (!name.empty()) result[name] = equals == std::string::npos ? "" : percentDecode(std::string_view(pair).substr(equals + 1));
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return result;
}

}  // namespace pilotlight::local
