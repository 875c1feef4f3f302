// An operator on an in-memory cluster, with what the rest of the product would do around it done by the test: pods for
// Deployments, a gateway's acknowledgements and its counts.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/load.h"
#include "kube/memory.h"
#include "operator/operator.h"

namespace pilotlight::op::testing {

using kube::Json;
using std::chrono::milliseconds;

/// Counts as a gateway would tell them; the test sets them.
class FakeLoad final : public core::LoadSource {
 public:
  std::vector<core::FunctionLoad> loads() const override;
  void onDemand(std::function<void(const std::string&, const std::string&)> listener) override;

  /// What is held from now on; the integral follows the clock.
  void set(const std::string& name, int inFlight, int queued);
  void demand(const std::string& name);
  int calls() const { return calls_; }

 private:
  struct Entry {
    core::FunctionLoad load;
    std::chrono::steady_clock::time_point since;
  };
  mutable std::mutex mutex_;
  mutable std::map<std::string, Entry> entries_;  // guarded by mutex_, as the next
  std::function<void(const std::string&, const std::string&)> listener_;
  mutable std::atomic<int> calls_{0};
};

/// Makes pods for Deployments and acknowledges routes, pass after pass, in a thread of its own.
class FakeNode {
 public:
  explicit FakeNode(kube::Client& client);
  ~FakeNode();
  /// Images that never get ready: their pods wait with CrashLoopBackOff.
  void crash(const std::string& image);
  void acknowledgeRoutes(bool yes) { acknowledge_ = yes; }

 private:
  void run();
  void runDeployment(const kube::Object& deployment);
  void runPod(const kube::Object& deployment, int index, bool crashes);
  void acknowledge(const kube::Object& route);

  kube::Client& client_;
  std::mutex mutex_;
  std::set<std::string> crashing_;  // guarded by mutex_
  std::atomic<bool> acknowledge_{true};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class OperatorTest : public ::testing::Test {
 protected:
  OperatorTest();
  ~OperatorTest() override;

  void startOperator();
  void stopOperator() { operator_.reset(); }

  /// A Function of namespace "default". Overrides are merged into its spec.
  void applyFunction(const std::string& name, const Json& overrides = Json::object());
  kube::Object get(const kube::Resource& resource, const std::string& name);
  Json spec(const kube::Resource& resource, const std::string& name);
  Json condition(const std::string& function, const std::string& type);
  bool isReady(const std::string& function);
  int replicas(const std::string& deployment);
  std::int64_t serving(const std::string& function);
  std::set<std::string> eventReasons(const std::string& function);
  /// Waits until `holds`, at most ten seconds.
  ::testing::AssertionResult eventually(const std::function<bool()>& holds);

  std::atomic<bool> admitting_{true};  ///< false: the cluster stores whatever it is given, as with a CRD of another version
  kube::MemoryCluster cluster_;
  FakeLoad load_;
  OperatorOptions options_;
  std::mutex linesMutex_;
  std::vector<std::string> lines_;  // of the operator's log; guarded by linesMutex_
  std::unique_ptr<Operator> operator_;
  std::unique_ptr<FakeNode> node_;
};

}  // namespace pilotlight::op::testing
