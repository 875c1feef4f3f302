// The in-memory cluster keeps the client's contract.
#include "client_contract.h"
#include "kube/memory.h"

namespace pilotlight::kube {

namespace {

class MemoryContractCluster final : public ContractCluster {
 public:
  Client& client() override { return cluster_; }
  std::string freshNamespace() override { return "test"; }
  void forgetHistory() override { writeMoreThan(cluster_, kHistory); }

 private:
  static constexpr std::size_t kHistory = 256;
  MemoryCluster cluster_{{.historyPerResource = kHistory}};
};

const ContractTarget kMemory{"memory", [] { return std::make_unique<MemoryContractCluster>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(MemoryCluster, ClientContract, ::testing::Values(kMemory), contractName);
INSTANTIATE_TEST_SUITE_P(MemoryCluster, ClientGarbageContract, ::testing::Values(kMemory), contractName);

}  // namespace pilotlight::kube
