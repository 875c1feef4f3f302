#include "kube/rest_path.h"

#include <utility>

namespace pilotlight::kube {

std::string percentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string apiPath(const Resource& resource, const Key& key) {
  std::string path = resource.group.empty() ? "/api/" + resource.version : "/apis/" + resource.group + "/" + resource.version;
  if (!key.namespace_.empty()) path += "/namespaces/" + percentEncode(key.namespace_);
  path += "/" + resource.plural;
  if (!key.name.empty()) path += "/" + percentEncode(key.name);
  return path;
}

Target::Target(std::string path, std::string_view subresource) : text_(std::move(path)) {
  if (!subresource.empty()) text_.append("/").append(subresource);
}

Target& Target::with(std::string_view name, std::string_view value) & {
  if (value.empty()) return *this;
  text_ += separator_;
  text_.append(name).append("=").append(percentEncode(value));
  separator_ = '&';
  return *this;
}

Target&& Target::with(std::string_view name, std::string_view value) && {
  return std::move(with(name, value));
}

}  // namespace pilotlight::kube
