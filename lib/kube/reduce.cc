#include "kube/reduce.h"

#include <array>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

Object reduced(const Object& object, const std::vector<std::string>& keep) {
  if (keep.empty() || !object) return object;
  static constexpr std::array kIdentity{"/apiVersion",          "/kind",
                                        "/metadata/name",       "/metadata/namespace",
                                        "/metadata/uid",        "/metadata/resourceVersion",
                                        "/metadata/generation", "/metadata/deletionTimestamp"};
  Json out = Json::object();
  const auto copy = [&](const std::string& pointer) {
    if (const Json* value = object.at(pointer)) out[Json::json_pointer(pointer)] = *value;
  };
  for (const char* pointer : kIdentity) copy(pointer);
  for (const std::string& pointer : keep) copy(pointer);
  return Object(std::move(out));
}

}  // namespace pilotlight::kube
