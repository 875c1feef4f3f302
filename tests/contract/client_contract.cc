#include "client_contract.h"

namespace pilotlight::kube {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ClientContract);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ClientGarbageContract);

namespace {
Json podSpec() {
  return {{"containers", Json::array({{{"name", "main"}, {"image", "example/image:1"}}})}};
}
}  // namespace

Json ClientContract::configMap(const std::string& name, Json data) const {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", meta(name)}, {"data", std::move(data)}};
}

Json ClientContract::labelled(const std::string& name, Json labels) const {
  Json object = configMap(name);
  object["metadata"]["labels"] = std::move(labels);
  return object;
}

Json ClientContract::function(const std::string& name) const {
  return {{"apiVersion", "pilotlight.dev/v1alpha1"},
          {"kind", "Function"},
          {"metadata", meta(name)},
          {"spec", {{"image", "example/image:1"}, {"runtime", "http"}, {"handler", Json::array({"/serve"})}}}};
}

Json ClientContract::route(const std::string& name) const {
  return {{"apiVersion", "pilotlight.dev/v1alpha1"}, {"kind", "FunctionRoute"}, {"metadata", meta(name)}, {"spec", {{"function", name}}}};
}

Json ClientContract::deployment(const std::string& name) const {
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", meta(name)},
          {"spec",
           {{"paused", true},
            {"selector", {{"matchLabels", {{"app", name}}}}},
            {"template", {{"metadata", {{"labels", {{"app", name}}}}}, {"spec", podSpec()}}}}}};
}

Json ClientContract::service(const std::string& name) const {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", meta(name)},
          {"spec", {{"ports", Json::array({{{"port", 80}, {"protocol", "TCP"}}})}}}};
}

Json ClientContract::pod(const std::string& name) const {
  Json spec = podSpec();
  spec["nodeName"] = "no-such-node";
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", meta(name)}, {"spec", std::move(spec)}};
}

void writeMoreThan(Client& client, std::size_t events) {
  const Json object = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "written"}, {"namespace", "elsewhere"}}}};
  for (std::size_t i = 0; i <= events; ++i) {
    Json next = object;
    next["data"] = {{"count", std::to_string(i)}};
    const auto written = client.apply(resources::configMaps, next, {"test"});
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
}

Object ClientContract::must(const Result<Object>& result) {
  if (result) return *result;
  ADD_FAILURE() << result.error().message;
  return Object(Json::object());
}

std::unique_ptr<WatchStream> ClientContract::watch(const Resource& resource, const std::string& from, const std::string& selector) {
  auto stream = client.watch(resource, {ns, selector, from, std::chrono::seconds(60)});
  if (!stream) {
    ADD_FAILURE() << stream.error().message;
    throw std::runtime_error("no watch");
  }
  return *std::move(stream);
}

WatchEvent ClientContract::next(WatchStream& stream) {
  while (true) {
    auto event = stream.next(std::chrono::seconds(10));
    if (event && *event && (**event).type != WatchEvent::Type::bookmark) return **event;
    if (event && *event) continue;
    ADD_FAILURE() << (event ? "no event within ten seconds" : event.error().message);
    return {WatchEvent::Type::bookmark, Object(Json::object())};
  }
}

}  // namespace pilotlight::kube
