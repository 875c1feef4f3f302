#include <nlohmann/json.hpp>

#include "operator/apply.h"

namespace pilotlight::op {

namespace resources = kube::resources;

// Each gateway owns its own entry; applied without it under the gateway's name, it goes, and nobody else's does.
kube::Result<void> Applier::forgetGateways(const Gathered& gathered, const core::Plan& plan) const {
  for (const auto& gateway : plan.forgetGateways) {
    // A gateway that is new may have acknowledged before its pod was in the cache, and does so once only.
    const auto pod = client_.get(resources::pods, {gatewayNamespace_, gateway});
    if (pod) {
      continue;
    }
    if (pod.error().code != kube::ErrorCode::notFound) {
      return std::unexpected(pod.error());
    }
    const auto& route = gathered.route;
    const kube::Json none{{"apiVersion", api::kApiVersion},
                          {"kind", "FunctionRoute"},
                          {"metadata", {{"name", route.name()}, {"namespace", route.namespace_()}}},
                          {"status", kube::Json::object()}};
    const std::string manager = std::string(api::kManagerGateway) + "-" + gateway;
    auto forgotten = client_.applyStatus(resources::functionRoutes, none, {.fieldManager = manager});
    if (!forgotten && forgotten.error().code != kube::ErrorCode::notFound) {
      return std::unexpected(forgotten.error());
    }
    log_.info("acknowledgement of a gateway that is gone removed",
              {{"function", gathered.function.key().toString()}, {"gateway", gateway}});
  }
  return {};
}

}  // namespace pilotlight::op
