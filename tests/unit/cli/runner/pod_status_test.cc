#include "cli/local/pod_status.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

using kube::Json;

TEST(PodStatus, HasWhatTheKubeletWrites) {
  PodObservation pod;
  pod.container = "function";
  pod.startTime = pod.readySince = "2026-01-31T12:00:00Z";
  Json status = podStatus(pod);
  EXPECT_EQ(status["phase"], "Pending");
  EXPECT_TRUE(status["podIP"].is_null());
  EXPECT_EQ(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
  EXPECT_EQ(status["conditions"][3]["status"], "False");
  EXPECT_EQ(status["conditions"][3]["reason"], "ContainersNotReady");

  pod.phase = "Running";
  pod.ip = "127.64.0.1";
  pod.ready = pod.started = true;
  pod.state = runningState("2026-01-31T12:00:01Z");
  status = podStatus(pod);
  EXPECT_EQ(status["podIP"], "127.64.0.1");
  EXPECT_EQ(status["podIPs"][0]["ip"], "127.64.0.1");
  EXPECT_EQ(status["conditions"][3], (Json{{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", "2026-01-31T12:00:00Z"}}));
  EXPECT_EQ(status["containerStatuses"][0]["ready"], true);
}

TEST(PodStatus, TerminatedTellsHow) {
  EXPECT_EQ(terminatedState({.code = 0}, "", "t", "")["terminated"]["reason"], "Completed");
  const Json killed = terminatedState({.code = 137, .signal = 9}, "s", "t", "last words")["terminated"];
  EXPECT_EQ(killed["reason"], "Error");
  EXPECT_EQ(killed["exitCode"], 137);
  EXPECT_EQ(killed["signal"], 9);
  EXPECT_EQ(killed["message"], "last words");
}

TEST(PodStatus, OutputThatIsNoUtf8StaysWritable) {
  const Json state = terminatedState({.code = 1}, "", "t", "bad \xff byte");
  EXPECT_NO_THROW(state.dump());
  EXPECT_NE(state["terminated"]["message"].get<std::string>().find("bad "), std::string::npos);
}

TEST(OutputTail, KeepsTheLastLinesWithinTheBound) {
  OutputTail tail;
  EXPECT_EQ(tail.text(), "");
  tail.add("one");
  tail.add("two");
  EXPECT_EQ(tail.text(), "one\ntwo");
  for (int i = 0; i < 1000; ++i) tail.add("line " + std::to_string(i));
  EXPECT_TRUE(tail.text().starts_with("line 990\n")) << tail.text();
  EXPECT_TRUE(tail.text().ends_with("\nline 999"));
  for (int i = 0; i < 10; ++i) tail.add(std::string(100000, 'x'));
  EXPECT_LE(tail.text().size(), 2048U);
  EXPECT_GT(tail.text().size(), 2000U);
}

}  // namespace
}  // namespace pilotlight::local
