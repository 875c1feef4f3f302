// Ten thousand pods in bounded memory, by a process of its own: the test's has seen other things.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "real_cluster.h"
#include "tests/support/subprocess.h"

namespace pilotlight::kube {

using std::chrono::minutes;

namespace {

constexpr int kPods = 10'000;
constexpr long kMostKib = 100 * 1024;

/// As a Deployment's pod that runs is: with owner, tolerations, a projected token, conditions and container statuses.
Json pod(const std::string& ns, int number) {
  const std::string name = "orders-v1-7c9f8d6b5-" + std::to_string(number);
  const Json mounts = Json::array({{{"name", "kube-api-access"}, {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}}});
  const Json resources = {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}}, {"limits", {{"memory", "128Mi"}}}};
  return {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata",
       {{"name", name},
        {"namespace", ns},
        {"labels",
         {{"pilotlight.dev/function", "orders"}, {"pilotlight.dev/version", "1"}, {"pod-template-hash", "7c9f8d6b5"}, {"app", "orders"}}}}},
      {"spec",
       {{"nodeName", "node-1"},
        {"automountServiceAccountToken", false},
        {"containers",
         Json::array(
             {{{"name", "main"},
               {"image", "registry.example.com/shop/orders@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
               {"args", Json::array({"--listen", "0.0.0.0:8080"})},
               {"env", Json::array({{{"name", "A"}, {"value", "1"}}, {{"name", "B"}, {"value", "2"}}})},
               {"ports", Json::array({{{"containerPort", 8080}}})},
               {"resources", resources},
               {"volumeMounts", mounts}}})},
        {"volumes", Json::array({{{"name", "kube-api-access"}, {"emptyDir", Json::object()}}})}}}};
}

void createPods(const std::string& ns, int from, int to) {
  RealCluster cluster;
  for (int i = from; i < to; ++i) {
    const auto made = cluster.client().create(resources::pods, pod(ns, i), "test");
    if (!made) ADD_FAILURE() << made.error().message;
  }
}

std::pair<long, long> measure(const std::string& ns, const std::string& how) {
  const auto outcome = test::run({.argv = {LARGE_LIST, RealCluster::file("admin.kubeconfig"), ns, how}, .environment = {}}, minutes(5));
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  std::istringstream said(outcome.out);
  std::pair<long, long> result{-1, -1};
  said >> result.first >> result.second;
  return result;
}

}  // namespace

TEST(LargeList, TenThousandPodsAreFollowedInAHundredMebibytes) {
  RealCluster cluster;
  const std::string ns = cluster.freshNamespace();
  std::vector<std::thread> threads;
  constexpr int kThreads = 8;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(createPods, ns, kPods * i / kThreads, kPods * (i + 1) / kThreads);
  for (std::thread& thread : threads) thread.join();

  const auto [count, kib] = measure(ns, "reduced");
  EXPECT_EQ(count, kPods);
  EXPECT_LE(kib, kMostKib);
  const auto [wholeCount, wholeKib] = measure(ns, "whole");
  EXPECT_EQ(wholeCount, kPods);
  std::printf("10000 pods: %ld KiB with what a gateway keeps, %ld KiB whole\n", kib, wholeKib);
}

}  // namespace pilotlight::kube
