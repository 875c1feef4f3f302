// Objects that the tests of lib/api start from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pilotlight::api {

/// The smallest Function that is valid.
inline nlohmann::json smallFunction() {
  return nlohmann::json::parse(R"({
    "apiVersion": "pilotlight.dev/v1alpha1", "kind": "Function",
    "metadata": {"name": "orders", "namespace": "shop"},
    "spec": {"image": "example/orders:1", "handler": ["./orders"]}})");
}

/// smallFunction() with members of the spec set, given as JSON text.
inline nlohmann::json functionWith(const std::string& spec) {
  nlohmann::json function = smallFunction();
  function["spec"].update(nlohmann::json::parse(spec));
  return function;
}

inline nlohmann::json smallRoute() {
  return nlohmann::json::parse(R"({
    "apiVersion": "pilotlight.dev/v1alpha1", "kind": "FunctionRoute",
    "metadata": {"name": "orders", "namespace": "shop"}, "spec": {"function": "orders"}})");
}

inline nlohmann::json smallVersion() {
  return nlohmann::json::parse(R"({
    "apiVersion": "pilotlight.dev/v1alpha1", "kind": "FunctionVersion",
    "metadata": {"name": "orders-00007", "namespace": "shop"},
    "spec": {"function": "orders", "number": 7, "image": "example/orders:1", "handler": ["./orders"]}})");
}

}  // namespace pilotlight::api
