// A gateway on an in-memory cluster, with HTTP servers on loopback as its replicas.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../net/harness.h"
#include "api/api.h"
#include "gateway/gateway.h"
#include "kube/memory.h"

namespace pilotlight::gateway::test {

using kube::Json;
using net::RequestHead;
using net::test::eventually;
using net::test::RawClient;
using net::test::ServerFixture;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Response {
  int status = 0;
  std::string head, body;
  std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto from = at + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

inline Response parse(const std::string& text) {
  Response response;
  const auto end = text.find("\r\n\r\n");
  if (text.size() < 12 || end == std::string::npos) return response;
  response.status = std::stoi(text.substr(9, 3));
  response.head = text.substr(0, end + 2);
  response.body = text.substr(end + 4);
  return response;
}

/// One request on a connection of its own.
inline Response call(const net::Address& to, const std::string& target, const std::string& method = "GET", const std::string& fields = "",
                     const std::string& body = "") {
  RawClient client(to);
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields;
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  client.send(request + "\r\n" + body);
  return parse(client.readAll(seconds(20)));
}

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    options_.name = "gw-0";
    options_.listen = {"127.0.0.1", 0};
    options_.internalListen = {"127.0.0.1", 0};
    options_.loops = 2;
    options_.wakeRetry = milliseconds(20);
    options_.log = [this](std::string_view line) {
      std::lock_guard lock(logMutex_);
      log_ += std::string(line) + "\n";
    };
  }
  ~GatewayTest() override {
    gateway_.reset();
    cluster_.shutdown();
  }

  void start() {
    gateway_ = std::make_unique<Gateway>(cluster_, options_);
    const auto started = gateway_->start();
    ASSERT_TRUE(started) << started.error();
  }

  /// A function "f" at /f with one version, and its Deployment at zero.
  api::FunctionRoute route(const std::string& name = "f") {
    api::FunctionRoute route;
    route.metadata.name = name;
    route.metadata.namespace_ = "default";
    route.spec.function = name;
    route.spec.localPath = "/" + name;
    route.spec.created = "2026-01-01T00:00:00Z";
    route.spec.functionGeneration = 1;
    api::RouteBackend backend;
    backend.version = 1;
    backend.deployment = name + "-00001";
    backend.perReplica = 10;
    route.spec.backends.push_back(backend);
    return route;
  }
  void apply(const api::FunctionRoute& route) {
    kube::ApplyOptions options;
    options.fieldManager = "test";
    options.force = true;
    const auto applied = cluster_.apply(kube::resources::functionRoutes, api::write(route), options);
    ASSERT_TRUE(applied) << applied.error().message;
    if (!gateway_) return;
    const auto generation = applied->generation();
    ASSERT_TRUE(eventually([&] { return acknowledged(route.metadata.name) == generation; }));
  }
  std::int64_t acknowledged(const std::string& name) {
    const auto read = cluster_.get(kube::resources::functionRoutes, {"default", name});
    return read ? read->intAt("/status/gateways/0/observedGeneration") : -1;
  }
  void deployment(const std::string& name = "f-00001", int replicas = 0) {
    const Json object{
        {"apiVersion", "apps/v1"},
        {"kind", "Deployment"},
        {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{api::kLabelFunction, name.substr(0, name.find('-'))}}}}},
        {"spec", {{"replicas", replicas}}}};
    ASSERT_TRUE(cluster_.create(kube::resources::deployments, object, "test"));
  }
  int scale(const std::string& name = "f-00001") {
    const auto read = cluster_.get(kube::resources::deployments, {"default", name});
    return read ? static_cast<int>(read->intAt("/spec/replicas")) : -1;
  }

  /// A pod as the API knows it; returns its uid.
  std::string pod(const std::string& name, const std::string& function = "f", const std::string& ip = "") {
    const Json object{
        {"apiVersion", "v1"},
        {"kind", "Pod"},
        {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{api::kLabelFunction, function}, {api::kLabelVersion, "1"}}}}},
        {"spec", {{"containers", Json::array({{{"name", "function"}, {"image", "x"}}})}}}};
    const auto created = cluster_.create(kube::resources::pods, object, "test");
    EXPECT_TRUE(created) << created.error().message;
    if (!ip.empty())
      EXPECT_TRUE(cluster_.mergePatch(kube::resources::pods, {"default", name}, {{"status", {{"podIP", ip}}}}, "test", "status"));
    return created->uid();
  }
  int callHome(const std::string& name, const std::string& uid, std::uint16_t port) {
    const std::string body = Json{{"namespace", "default"}, {"pod", name}, {"uid", uid}, {"port", port}}.dump();
    return call(gateway_->internalAddress(), "/_pilotlight/register", "POST", "", body).status;
  }
  /// A replica that answers: a pod, a server, and its call home.
  void replica(const std::string& name, ServerFixture& server, const std::string& function = "f") {
    const std::string uid = pod(name, function);
    ASSERT_EQ(callHome(name, uid, server.address.port), 204);
  }
  core::FunctionLoad load(const std::string& name = "f") {
    for (const auto& entry : gateway_->loads())
      if (entry.name == name) return entry;
    return {};
  }
  bool idle() {
    return eventually([&] { return load().inFlight == 0 && load().queued == 0; });
  }
  std::string log() {
    std::lock_guard lock(logMutex_);
    return log_;
  }

  std::mutex logMutex_;
  std::string log_;
  kube::MemoryCluster cluster_;
  GatewayOptions options_;
  std::unique_ptr<Gateway> gateway_;
};

}  // namespace pilotlight::gateway::test
