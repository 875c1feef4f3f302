#include "api/api.h"
#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using testing::Json;

class VanishedGateway : public testing::OperatorTest {
 protected:
  void startWithGateways() {
    gateways_ = std::make_unique<GatewayPods>(cluster_, GatewayPodsOptions{});
    operator_ = std::make_unique<Operator>(cluster_, load_, options_, gateways_.get());
    gateways_->start();
    ASSERT_TRUE(gateways_->waitForSync(std::chrono::seconds(10)));
    const auto started = operator_->start();
    ASSERT_TRUE(started) << started.error();
  }
  ~VanishedGateway() override {
    if (gateways_) gateways_->stop();
    operator_.reset();
  }
  void gatewayPod(const std::string& name) {
    const Json labels{{"app.kubernetes.io/name", "pilotlight"}, {"app.kubernetes.io/component", "gateway"}};
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"namespace", "pilotlight-system"}, {"labels", labels}}},
                      {"spec", {{"containers", Json::array({{{"name", "gateway"}, {"image", "x"}}})}}}};
    ASSERT_TRUE(cluster_.create(resources::pods, object, "test"));
  }
  void acknowledge(const std::string& gateway, std::int64_t generation) {
    const Json status{{"gateways", Json::array({{{"gateway", gateway}, {"observedGeneration", generation}}})}};
    const Json object{{"apiVersion", api::kApiVersion},
                      {"kind", "FunctionRoute"},
                      {"metadata", {{"name", "hello"}, {"namespace", "default"}}},
                      {"status", status}};
    const auto applied =
        cluster_.applyStatus(resources::functionRoutes, object, {.fieldManager = std::string(api::kManagerGateway) + "-" + gateway});
    ASSERT_TRUE(applied) << applied.error().message;
  }
  std::set<std::string> acknowledged() {
    std::set<std::string> names;
    const auto route = get(resources::functionRoutes, "hello");
    if (const auto* acks = route ? route.at("/status/gateways") : nullptr)
      for (const auto& ack : *acks) names.insert(ack["gateway"]);
    return names;
  }

  std::unique_ptr<GatewayPods> gateways_;
};

TEST_F(VanishedGateway, LosesItsEntryAndNobodyElseDoes) {
  node_->acknowledgeRoutes(false);
  gatewayPod("gw-a");
  gatewayPod("gw-b");
  startWithGateways();
  applyFunction("hello", {{"scale", {{"initial", 0}}}});
  ASSERT_TRUE(eventually([&] { return bool(get(resources::functionRoutes, "hello")); }));
  const auto generation = get(resources::functionRoutes, "hello").generation();
  acknowledge("gw-b", 0);  // first: with the other one alone it would be Ready
  acknowledge("gw-a", generation);
  ASSERT_TRUE(eventually([&] { return acknowledged().size() == 2; }));
  EXPECT_FALSE(isReady("hello"));
  ASSERT_TRUE(cluster_.remove(resources::pods, {"pilotlight-system", "gw-b"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  EXPECT_TRUE(eventually([&] { return acknowledged() == std::set<std::string>{"gw-a"}; }));
  EXPECT_TRUE(eventually([&] { return isReady("hello"); }));
}

TEST_F(VanishedGateway, OneWhosePodIsThereKeepsItsEntryWhateverTheCacheSays) {
  node_->acknowledgeRoutes(false);
  gatewayPod("gw-a");
  startWithGateways();
  applyFunction("hello", {{"scale", {{"initial", 0}}}});
  ASSERT_TRUE(eventually([&] { return bool(get(resources::functionRoutes, "hello")); }));
  // A pod that the selector does not find: as good as one that is not in the cache yet.
  const Json object{{"apiVersion", "v1"},
                    {"kind", "Pod"},
                    {"metadata", {{"name", "gw-new"}, {"namespace", "pilotlight-system"}}},
                    {"spec", {{"containers", Json::array({{{"name", "gateway"}, {"image", "x"}}})}}}};
  ASSERT_TRUE(cluster_.create(resources::pods, object, "test"));
  acknowledge("gw-new", 1);
  acknowledge("gw-gone", 1);
  EXPECT_TRUE(eventually([&] { return acknowledged() == std::set<std::string>{"gw-new"}; }));
}

}  // namespace
}  // namespace pilotlight::op
