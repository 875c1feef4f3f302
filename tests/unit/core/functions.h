// Builders of what the decisions are fed with.
#pragma once

#include <string>
#include <utility>

#include "api/types.h"
#include "core/plan.h"

namespace pilotlight::core::testing {

inline api::Function function(const std::string& name = "orders") {
  api::Function function;
  function.metadata.name = name;
  function.metadata.namespace_ = "shop";
  function.metadata.uid = "uid-" + name;
  function.metadata.generation = 1;
  function.metadata.creationTimestamp = "2026-01-31T12:00:00Z";
  function.spec.image = "registry.example/" + name + ":1";
  function.spec.runtime = api::Runtime::http;
  function.spec.handler = {"/server", "--fast"};
  return function;
}

inline RenderOptions clusterOptions() {
  RenderOptions options;
  options.hosts = {.domain = "example.com", .clusterDomain = "cluster.local"};
  options.gateways = "10.0.0.1:8081";
  options.gatewayService = "pilotlight-gateway.pilotlight-system.svc.cluster.local";
  options.shimImage = "pilotlight/shim:1";
  return options;
}

inline RenderOptions localOptions() {
  RenderOptions options;
  options.localPaths = true;
  options.urlBase = "http://127.0.0.1:8080";
  options.clusterUrlBase = "http://127.0.0.1:8081";
  options.copyShim = false;
  options.handlerPort.reset();
  return options;
}

}  // namespace pilotlight::core::testing
