// What the API server makes of a parked pod's requests.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/render.h"
#include "real_cluster.h"

namespace pilotlight::kube {
namespace {

const api::Resources kFull{.memory = {128LL << 20}, .cpu = {100}, .ephemeral = api::Bytes{1LL << 30}};

Json pod(const std::string& ns, bool sidecar) {
  Json containers = Json::array();
  if (sidecar) containers.push_back({{"name", "sidecar"}, {"image", "sidecar"}});
  containers.push_back({{"name", "function"}, {"image", "function"}, {"resources", core::renderResources(kFull)}});
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", "p"}, {"namespace", ns}}},
          {"spec", {{"nodeName", "nowhere"}, {"containers", std::move(containers)}}}};
}

TEST(RealResize, APodRequestsNextToNothingWhileItIsParkedAndStaysInItsClass) {
  for (const bool sidecar : {false, true}) {
    RealCluster cluster;
    const std::string ns = cluster.freshNamespace();
    auto live = cluster.client().create(resources::pods, pod(ns, sidecar), "test");
    ASSERT_TRUE(live.has_value()) << live.error().message;
    for (const bool parked : {true, false}) {
      live = cluster.client().mergePatch(resources::pods, {ns, "p"}, core::renderResize(live->json(), kFull, parked), "test", "resize");
      ASSERT_TRUE(live.has_value()) << live.error().message;
      const Json& container = live->json()["spec"]["containers"].back();
      EXPECT_EQ(container["resources"]["requests"]["cpu"], parked ? "1m" : "100m");
      EXPECT_EQ(container["resources"]["requests"]["memory"], parked ? "8Mi" : "128Mi");
      EXPECT_EQ(container["resources"]["limits"]["memory"], "128Mi");
      EXPECT_EQ(live->stringAt("/status/qosClass"), "Burstable");
    }
  }
}

}  // namespace
}  // namespace pilotlight::kube
