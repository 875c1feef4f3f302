// What the REST client promises beyond the contract: who may, what is refused, how much memory a large list takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "real_cluster.h"

namespace pilotlight::kube {

using std::chrono::seconds;
using ::testing::HasSubstr;

namespace {

Json function(const std::string& ns, Json spec) {
  return {{"apiVersion", "pilotlight.dev/v1alpha1"},
          {"kind", "Function"},
          {"metadata", {{"name", "fn"}, {"namespace", ns}}},
          {"spec", std::move(spec)}};
}

Json valid() {
  return {{"image", "example/image:1"}, {"runtime", "http"}, {"handler", Json::array({"/serve"})}};
}

}  // namespace

TEST(RealRest, ABearerTokenIsEnoughAndOneWithoutRightsIsForbidden) {
  RealCluster admin("token.kubeconfig");
  EXPECT_TRUE(admin.client().list(resources::configMaps, {"default", ""}).has_value());
  RealCluster nobody("nobody.kubeconfig");
  const auto refused = nobody.client().list(resources::configMaps, {"default", ""});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_THAT(refused.error().message, HasSubstr("list configmaps in default: 403 forbidden: configmaps is forbidden: User"));
}

TEST(RealRest, AnotherAuthorityIsRefused) {
  RealCluster cluster;
  TransportOptions options = transportOptions(cluster.config());
  options.tls.caPem.clear();  // the system's
  const auto transport = makeTransport(options);
  ASSERT_TRUE(transport.has_value());
  RestClient client(**transport, {.retry = {.attempts = 1}});
  const auto refused = client.get(resources::configMaps, {"default", "x"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("TLS handshake: "));
}

TEST(RealRest, WrongFunctionsAreRefusedNamingTheField) {
  RealCluster cluster;
  const std::string ns = cluster.freshNamespace();
  const auto messageFor = [&](const char* field, Json value) {
    Json spec = valid();
    spec[field] = std::move(value);
    const auto refused = cluster.client().create(resources::functions, function(ns, spec), "test");
    EXPECT_FALSE(refused.has_value()) << field;
    if (!refused) EXPECT_EQ(refused.error().code, ErrorCode::invalid) << refused.error().message;
    return refused ? "" : refused.error().message;
  };
  EXPECT_THAT(messageFor("scale", {{"min", 5}, {"max", 4}}), HasSubstr("spec.scale.min"));
  EXPECT_THAT(messageFor("timeout", "25h"), HasSubstr("spec.timeout"));
  EXPECT_THAT(messageFor("replicas", -1), HasSubstr("spec.replicas"));
  EXPECT_THAT(messageFor("runtime", "cobol"), HasSubstr("spec.runtime"));
  EXPECT_THAT(messageFor("env", Json::array({{{"name", "PILOTLIGHT_X"}, {"value", "1"}}})), HasSubstr("spec.env[0].name"));
  EXPECT_THAT(messageFor("http", {{"routes", Json::array({{{"path", "/{a}/{a}"}}})}}), HasSubstr("spec.http.routes[0].path"));
}

TEST(RealRest, AnUnreachableServerIsUnavailableWithinTheCallsTime) {
  RealCluster cluster("admin.kubeconfig", {.callTimeout = seconds(10)});
  RealCluster::part("kill", "kube-apiserver");
  const auto began = std::chrono::steady_clock::now();
  const auto lost = cluster.client().get(resources::configMaps, {"default", "x"});
  EXPECT_EQ(lost.error().code, ErrorCode::unavailable) << lost.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(15));
  RealCluster::part("start", "kube-apiserver");
  EXPECT_EQ(cluster.client().get(resources::configMaps, {"default", "x"}).error().code, ErrorCode::notFound) << "and then it is back";
}

}  // namespace pilotlight::kube
