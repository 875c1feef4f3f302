// Paths and queries of the Kubernetes REST API. Pure.
#pragma once

#include <string>
#include <string_view>

#include "kube/types.h"

namespace pilotlight::kube {

/// Everything but letters, digits and -._~ (RFC 3986's unreserved characters).
std::string percentEncode(std::string_view text);

/// /apis/{group}/{version}/namespaces/{ns}/{plural}/{name}; without a namespace the path of all of them.
std::string apiPath(const Resource& resource, const Key& key);

/// A target with its query: Target(apiPath(…), "status").with("fieldManager", "x").text()
class Target {
 public:
  explicit Target(std::string path, std::string_view subresource = "");
  Target& with(std::string_view name, std::string_view value) &;  ///< nothing when the value is empty
  Target&& with(std::string_view name, std::string_view value) &&;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  char separator_ = '?';
};

}  // namespace pilotlight::kube
