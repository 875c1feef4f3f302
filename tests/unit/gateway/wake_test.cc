// Waking through an API server on a socket, which may hang.
#include "fixture.h"
#include "kube/rest_client.h"
#include "kube/transport.h"

namespace pilotlight::gateway::test {
namespace {

/// Takes connections and requests; answers once it is told to, by raising what is named in the in-memory cluster.
class HangingApi {
 public:
  explicit HangingApi(kube::MemoryCluster& cluster) {
    server_.app.answer = [this, &cluster](net::Exchange& exchange, const std::string&) {
      if (hangs_) return static_cast<void>(++held_);
      const std::string path(exchange.head().path);  // …/deployments/NAME/scale
      const auto end = path.rfind('/'), from = path.rfind('/', end - 1) + 1;
      const auto raised = cluster.patchScale(kube::resources::deployments, {"default", path.substr(from, end - from)}, 1, "", "test");
      exchange.respond(raised ? 200 : 500, "application/json", raised ? raised->json().dump() : "{}");
    };
    transport_ = std::move(*kube::makeTransport({.baseUrl = "http://" + server_.address.toString()}));
  }
  int held() const { return held_; }
  void answer() { hangs_ = false; }
  kube::Transport& transport() { return *transport_; }

 private:
  std::atomic<bool> hangs_{true};
  std::atomic<int> held_{0};
  ServerFixture server_;
  std::unique_ptr<kube::Transport> transport_;
};

TEST_F(GatewayTest, AllThatSleepAreWokenSoonAfterAnApiServerThatHung) {
  constexpr int kSleepers = 6;  // more than are raised at once
  HangingApi api(cluster_);
  kube::RestClient hasty(api.transport(), {.callTimeout = options_.wakeTimeout, .attemptTimeout = options_.wakeAttemptTimeout});
  const auto name = [](int i) { return "f" + std::to_string(i); };
  for (int i = 0; i < kSleepers; ++i) {
    deployment(name(i) + "-00001");
    apply(route(name(i)));
  }
  gateway_ = std::make_unique<Gateway>(cluster_, options_, &hasty);
  ASSERT_TRUE(gateway_->start());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kSleepers; ++i) {
    clients.push_back(std::make_unique<RawClient>(gateway_->address()));
    clients.back()->send("GET /" + name(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return api.held() >= 4; })) << "it is asked";
  const auto since = net::Clock::now();
  api.answer();
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < kSleepers; ++i)
      if (scale(name(i) + "-00001") != 1) return false;
    return true;
  }));
  EXPECT_LT(net::Clock::now() - since, seconds(5));
  clients.clear();
  hasty.shutdown();
  gateway_.reset();
}

}  // namespace
}  // namespace pilotlight::gateway::test
