// The REST client on a real API server keeps the client's contract.
#include "client_contract.h"
#include "real_cluster.h"

namespace pilotlight::kube {

namespace {

class RestContractCluster final : public ContractCluster {
 public:
  Client& client() override { return cluster_.client(); }
  std::string freshNamespace() override { return cluster_.freshNamespace(); }
  /// What it has for watches is in its memory, and begins with what etcd has when it starts.
  void forgetHistory() override { RealCluster::part("restart", "kube-apiserver"); }

 private:
  RealCluster cluster_;
};

const ContractTarget kRest{"rest", [] { return std::make_unique<RestContractCluster>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(RealCluster, ClientContract, ::testing::Values(kRest), contractName);
INSTANTIATE_TEST_SUITE_P(RealCluster, ClientGarbageContract, ::testing::Values(kRest), contractName);

}  // namespace pilotlight::kube
