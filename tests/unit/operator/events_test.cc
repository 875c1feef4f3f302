#include "operator/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/memory.h"

namespace pilotlight::op {
namespace {

const kube::Key kFunction{"default", "hello"};

TEST(EventRecorder, WritesWhatKubectlDescribeShows) {
  kube::MemoryCluster cluster;
  const Log log("off", [](std::string_view) {});
  Metrics metrics;
  EventRecorder events(cluster, log, metrics);
  events.start();
  events.record(kFunction, "uid-1", {true, "CrashLoopBackOff", "version 2: it crashes"});
  events.stop();  // writes what is queued
  const auto list = cluster.list(kube::resources::events, {});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->items.size(), 1U);
  const auto& event = list->items[0];
  EXPECT_EQ(event.stringAt("/involvedObject/kind"), "Function");
  EXPECT_EQ(event.stringAt("/involvedObject/name"), "hello");
  EXPECT_EQ(event.stringAt("/involvedObject/uid"), "uid-1");
  EXPECT_EQ(event.stringAt("/type"), "Warning");
  EXPECT_EQ(event.stringAt("/reason"), "CrashLoopBackOff");
  EXPECT_EQ(event.stringAt("/message"), "version 2: it crashes");
  EXPECT_EQ(event.intAt("/count"), 1);
}

TEST(EventRecorder, TheSameThingAgainIsNotAnotherEvent) {
  kube::MemoryCluster cluster;
  const Log log("off", [](std::string_view) {});
  Metrics metrics;
  EventRecorder events(cluster, log, metrics);
  for (int i = 0; i < 50; ++i) {
    events.record(kFunction, "uid-1", {false, "ScaledToZero", "no replica runs any more"});
  }
  events.start();
  events.stop();
  EXPECT_EQ(cluster.list(kube::resources::events, {})->items.size(), 1U);
}

TEST(EventRecorder, AFloodIsBoundedAndCounted) {
  kube::MemoryCluster cluster;
  const Log log("off", [](std::string_view) {});
  Metrics metrics;
  EventRecorder events(cluster, log, metrics);
  for (std::size_t i = 0; i < EventRecorder::kQueue + 5; ++i) {
    events.record(kFunction, "uid-1", {false, "VersionCreated", "version " + std::to_string(i)});
  }
  EXPECT_NE(metrics.text().find("pilotlight_operator_events_dropped_total 5"), std::string::npos);
  events.start();
  events.stop();
  EXPECT_LE(cluster.list(kube::resources::events, {})->items.size(), EventRecorder::kKept);
}

}  // namespace
}  // namespace pilotlight::op
