// Reading objects that others wrote: a member of the wrong type reads as absent.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kube/types.h"

namespace pilotlight::local {

inline const kube::Json* member(const kube::Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

inline std::string textMember(const kube::Json& object, const char* name) {
  const kube::Json* found = member(object, name);
  return found && found->is_string() ? found->get<std::string>() : std::string{};
}

inline bool flagMember(const kube::Json& object, const char* name) {
  const kube::Json* found = member(object, name);
  return found && found->is_boolean() && found->get<bool>();
}

/// The elements of an array member; none when it is absent or no array.
inline const kube::Json& listMember(const kube::Json& object, const char* name) {
  static const kube::Json none = kube::Json::array();
  const kube::Json* found = member(object, name);
  return found && found->is_array() ? *found : none;
}

/// Text that JSON can hold: bytes that are no UTF-8 are replaced.
inline kube::Json safeText(const std::string& text) {
  const std::string json = kube::Json(text).dump(-1, ' ', false, kube::Json::error_handler_t::replace);
  return kube::Json::parse(json, nullptr, false);
}

}  // namespace pilotlight::local
