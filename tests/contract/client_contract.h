// What every kube::Client promises, as tests that know nothing but the interface. They hold for a real API server and
// for the in-memory cluster alike.
//
// To run them against an implementation, link pilotlight_client_contract and write
//   INSTANTIATE_TEST_SUITE_P(MyCluster, ClientContract, ::testing::Values(ContractTarget{"my", [] { … }}), contractName);
// and the same for ClientGarbageContract where a garbage collector (the controller manager) runs.
// The cluster must have the product's CRDs; the operator must not run in it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/client.h"

namespace pilotlight::kube {

/// A cluster under test.
class ContractCluster {
 public:
  virtual ~ContractCluster() = default;
  virtual Client& client() = 0;
  /// A namespace in which nothing of ours is.
  virtual std::string freshNamespace() = 0;
  /// No version of before can be watched from after it.
  virtual void forgetHistory() = 0;
};

struct ContractTarget {
  std::string name;
  std::function<std::unique_ptr<ContractCluster>()> open;
};

inline std::string contractName(const ::testing::TestParamInfo<ContractTarget>& info) {
  return info.param.name;
}

class ClientContract : public ::testing::TestWithParam<ContractTarget> {
 protected:
  ClientContract() : cluster_(GetParam().open()), client(cluster_->client()), ns(cluster_->freshNamespace()) {}

  Json meta(const std::string& name) const { return {{"name", name}, {"namespace", ns}}; }
  Key key(const std::string& name) const { return {ns, name}; }

  // Valid objects of the kinds, as small as they may be.
  Json configMap(const std::string& name, Json data = {{"a", "1"}}) const;
  Json labelled(const std::string& name, Json labels) const;  ///< a ConfigMap
  Json function(const std::string& name) const;
  Json route(const std::string& name) const;
  Json deployment(const std::string& name) const;
  Json service(const std::string& name) const;
  /// Assigned to a node, so that its deletion is graceful; the node does not exist, so that nothing touches it.
  Json pod(const std::string& name) const;

  /// Fails the test when the result is an error.
  Object must(const Result<Object>& result);
  Object create(const Resource& resource, const Json& object) { return must(client.create(resource, object, "creator")); }
  Object apply(const Resource& resource, const Json& object, const std::string& manager, bool force = false) {
    return must(client.apply(resource, object, {manager, force}));
  }
  Object get(const Resource& resource, const std::string& name) { return must(client.get(resource, key(name))); }

  std::unique_ptr<WatchStream> watch(const Resource& resource, const std::string& from, const std::string& selector = "");
  /// The next event that is no bookmark; fails the test after ten seconds.
  WatchEvent next(WatchStream& stream);
  void forgetHistory() { cluster_->forgetHistory(); }

 private:
  std::unique_ptr<ContractCluster> cluster_;

 protected:
  Client& client;
  const std::string ns;
};

/// For a ContractCluster whose history is bounded in events: as many, and one more.
void writeMoreThan(Client& client, std::size_t events);

/// What needs the garbage collector.
class ClientGarbageContract : public ClientContract {};

/// EXPECT_THAT(client.get(…), Fails(ErrorCode::notFound));
MATCHER_P(Fails, code, "fails with the code") {
  if (arg) {
    *result_listener << "which succeeded";
    return false;
  }
  *result_listener << "which says " << arg.error().message;
  return arg.error().code == code;
}

}  // namespace pilotlight::kube
