#include "kube/transport.h"

#include <algorithm>
#include <cctype>

namespace pilotlight::kube {

std::string HttpResponse::header(std::string_view name) const {
  const auto lower = [](unsigned char c) { return std::tolower(c); };
  for (const auto& [key, value] : headers) {
    if (std::ranges::equal(key, name, {}, lower, lower)) return value;
  }
  return "";
}

}  // namespace pilotlight::kube
