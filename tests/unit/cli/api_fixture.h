// An API server over real sockets on an in-memory cluster, with a kubeconfig in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "cli/kubeconfig.h"
#include "cli/local/api_server.h"
#include "cli/state_dir.h"
#include "kube/memory.h"
#include "tests/unit/cli/temp_dir.h"

namespace pilotlight::cli {

inline std::expected<kube::Json, std::string> admitForTest(const kube::Json& object) {
  auto done = api::admit(object);
  if (!done) return std::unexpected(api::toString(done.error()));
  return std::move(*done);
}

class ApiFixture : public ::testing::Test {
 protected:
  ApiFixture() : cluster_(kube::MemoryClusterOptions{.admit = admitForTest, .now = {}}) {}

  void SetUp() override {
    local::ApiServerOptions options;
    options.token = token_;
    options.version = "1.2.3";
    options.metrics = [] { return std::string("up 1\n"); };
    options.maxStreams = 4;
    server_ = std::make_unique<local::ApiServer>(cluster_, logs_, options);
    ASSERT_TRUE(server_->start());
    url_ = "http://" + server_->address().toString();
    ASSERT_TRUE(writePrivateFile(state_ / "kubeconfig", writeKubeconfig({url_, token_, kLocalContext})));
  }
  void TearDown() override { server_->stop(); }

  const std::string token_ = local::randomToken();
  const TempDir state_;
  kube::MemoryCluster cluster_;
  local::LogStore logs_;
  std::unique_ptr<local::ApiServer> server_;
  std::string url_;
};

inline kube::Json functionObject(const std::string& name) {
  return {{"apiVersion", "pilotlight.dev/v1alpha1"},
          {"kind", "Function"},
          {"metadata", {{"name", name}, {"namespace", "default"}}},
          {"spec", {{"image", "x"}, {"runtime", "http"}, {"handler", {"server"}}}}};
}

}  // namespace pilotlight::cli
