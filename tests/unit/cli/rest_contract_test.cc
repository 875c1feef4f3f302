// The REST client on the API server of `pilotlight local` keeps the client's contract: one half is tested by the other.
#include "api/api.h"
#include "cli/local/api_server.h"
#include "client_contract.h"
#include "kube/memory.h"
#include "kube/rest_client.h"

namespace pilotlight::kube {

namespace {

std::expected<Json, std::string> admitted(const Json& object) {
  auto done = api::admit(object);
  if (!done) return std::unexpected(api::toString(done.error()));
  return std::move(*done);
}

class LocalContractCluster final : public ContractCluster {
 public:
  LocalContractCluster()
      : memory_({.historyPerResource = kHistory, .admit = admitted}),
        token_(local::randomToken()),
        server_(memory_, logs_, {.token = token_}) {
    const auto started = server_.start();
    if (!started) throw std::runtime_error(started.error());
    transport_ =
        makeTransport({.baseUrl = "http://" + server_.address().toString(), .credentials = fixedCredentials({.bearerToken = token_})})
            .value();
    client_ = std::make_unique<RestClient>(*transport_);
  }
  ~LocalContractCluster() override { server_.stop(); }
  Client& client() override { return *client_; }
  std::string freshNamespace() override { return "test"; }
  void forgetHistory() override { writeMoreThan(memory_, kHistory); }

 private:
  static constexpr std::size_t kHistory = 256;
  MemoryCluster memory_;
  local::LogStore logs_;
  const std::string token_;
  local::ApiServer server_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<RestClient> client_;
};

const ContractTarget kLocal{"local", [] { return std::make_unique<LocalContractCluster>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(LocalServer, ClientContract, ::testing::Values(kLocal), contractName);
INSTANTIATE_TEST_SUITE_P(LocalServer, ClientGarbageContract, ::testing::Values(kLocal), contractName);

}  // namespace pilotlight::kube
