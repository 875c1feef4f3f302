#include <gtest/gtest.h>

#include <cstdio>

#include "real_cluster.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  // Without an API server nothing has been tested: that is a failure.
  if (const auto problem = pilotlight::kube::RealCluster::problem()) {
    std::fprintf(stderr, "kube_api_test: %s; run tests/cluster/api_test.sh\n", problem->c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
