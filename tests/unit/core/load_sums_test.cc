#include "core/load_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace pilotlight::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Time = LoadSums::Time;

const Time kStart{seconds(1000)};

FunctionLoad load(const std::string& name, int inFlight, int queued, std::int64_t millis, std::int64_t requests, Time at = kStart) {
  FunctionLoad load;
  load.namespace_ = "shop";
  load.name = name;
  load.at = at;
  load.inFlight = inFlight;
  load.queued = queued;
  load.concurrencyMillis = millis;
  load.requests = requests;
  load.lastActive = at;
  return load;
}

LoadLine line(const std::string& instance, std::vector<FunctionLoad> loads = {}, bool complete = true) {
  LoadLine line;
  line.instance = instance;
  line.complete = complete;
  line.loads = std::move(loads);
  return line;
}

FunctionLoad sumOf(const LoadSums& sums, const std::string& name, Time now = kStart) {
  for (const auto& each : sums.loads(now))
    if (each.name == name) return each;
  return {};
}

TEST(LoadSums, AddsWhatGatewaysCount) {
  LoadSums sums;
  sums.present("a", true);
  sums.present("b", true);
  sums.told("a", line("1", {load("f", 3, 1, 100, 10)}));
  sums.told("b", line("1", {load("f", 2, 0, 50, 5, kStart + seconds(1)), load("g", 1, 0, 7, 1)}));
  const auto f = sumOf(sums, "f");
  EXPECT_EQ(f.inFlight, 5);
  EXPECT_EQ(f.queued, 1);
  EXPECT_EQ(f.concurrencyMillis, 150);
  EXPECT_EQ(f.requests, 15);
  EXPECT_EQ(f.lastActive, kStart + seconds(1));
  EXPECT_EQ(f.at, kStart + seconds(1)) << "the moment that was told of last";
  EXPECT_EQ(sumOf(sums, "g").requests, 1);
}

TEST(LoadSums, WhatIsIdleIsOfAnyMoment) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 0, 0, 100, 10)}));
  EXPECT_EQ(sumOf(sums, "f", kStart + seconds(9)).at, kStart + seconds(9));
}

TEST(LoadSums, AGatewayThatBeginsAnewTakesNothingFromTheSums) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 3, 0, 100, 10)}));
  sums.lost("a");
  sums.told("a", line("2", {load("f", 1, 0, 5, 1)}));
  EXPECT_EQ(sumOf(sums, "f").concurrencyMillis, 105);
  EXPECT_EQ(sumOf(sums, "f").requests, 11);
  EXPECT_EQ(sumOf(sums, "f").inFlight, 1);
}

TEST(LoadSums, AFunctionMadeAnewInTheSameGatewayTakesNothingEither) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 0, 0, 100, 10)}));
  sums.told("a", line("1", {load("f", 1, 0, 3, 1)}));
  EXPECT_EQ(sumOf(sums, "f").concurrencyMillis, 103);
}

TEST(LoadSums, AGatewayThatGoesLeavesItsCountsAndTakesItsRequests) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 3, 2, 100, 10)}));
  sums.gone("a");
  const auto f = sumOf(sums, "f");
  EXPECT_EQ(f.inFlight + f.queued, 0);
  EXPECT_EQ(f.concurrencyMillis, 100);
  EXPECT_EQ(f.lastActive, kStart);
}

TEST(LoadSums, SaysForWhomMoreRequestsWait) {
  LoadSums sums;
  sums.present("a", true);
  EXPECT_THAT(sums.told("a", line("1", {load("f", 0, 1, 0, 1), load("g", 1, 0, 0, 1)})), ElementsAre(FunctionId{"shop", "f"}));
  EXPECT_THAT(sums.told("a", line("1", {load("f", 0, 1, 5, 1)})), IsEmpty());
  EXPECT_THAT(sums.told("a", line("1", {load("f", 0, 2, 9, 2)})), ElementsAre(FunctionId{"shop", "f"}));
  EXPECT_THAT(sums.told("unknown", line("1", {load("f", 0, 9, 9, 9)})), IsEmpty());
}

struct Step {
  enum What { present, unready, told, part, lost, gone } what;
  const char* gateway;
};
struct CompleteCase {
  const char* says;
  std::vector<Step> steps;
  bool complete;
};

TEST(LoadSums, KnowsWhenItDoesNotKnow) {
  const CompleteCase cases[] = {
      {"no gateway is there: nothing is known", {}, false},
      {"one is there and not heard", {{Step::present, "a"}}, false},
      {"one is heard", {{Step::present, "a"}, {Step::told, "a"}}, true},
      {"one has not told everything yet", {{Step::present, "a"}, {Step::part, "a"}}, false},
      {"told in several lines", {{Step::present, "a"}, {Step::part, "a"}, {Step::told, "a"}}, true},
      {"one of two is not heard", {{Step::present, "a"}, {Step::present, "b"}, {Step::told, "a"}}, false},
      {"the other one starts, and gets no requests yet", {{Step::present, "a"}, {Step::unready, "b"}, {Step::told, "a"}}, true},
      {"one was lost", {{Step::present, "a"}, {Step::told, "a"}, {Step::present, "b"}, {Step::told, "b"}, {Step::lost, "b"}}, false},
      {"and is heard again",
       {{Step::present, "a"}, {Step::told, "a"}, {Step::present, "b"}, {Step::told, "b"}, {Step::lost, "b"}, {Step::told, "b"}},
       true},
      {"and is gone", {{Step::present, "a"}, {Step::told, "a"}, {Step::present, "b"}, {Step::lost, "b"}, {Step::gone, "b"}}, true},
      {"and is not ready", {{Step::present, "a"}, {Step::told, "a"}, {Step::present, "b"}, {Step::lost, "b"}, {Step::unready, "b"}}, true},
      {"one drains, and is still heard", {{Step::present, "a"}, {Step::told, "a"}, {Step::unready, "a"}}, true},
      {"the only one is gone", {{Step::present, "a"}, {Step::told, "a"}, {Step::gone, "a"}}, false},
  };
  for (const auto& each : cases) {
    LoadSums sums;
    for (const auto& step : each.steps) {
      if (step.what == Step::present) sums.present(step.gateway, true);
      if (step.what == Step::unready) sums.present(step.gateway, false);
      if (step.what == Step::told) sums.told(step.gateway, line("1"));
      if (step.what == Step::part) sums.told(step.gateway, line("1", {}, false));
      if (step.what == Step::lost) sums.lost(step.gateway);
      if (step.what == Step::gone) sums.gone(step.gateway);
    }
    EXPECT_EQ(sums.complete(), each.complete) << each.says;
  }
}

TEST(LoadSums, AReadyGatewayThatIsNotHeardKeepsItsLastLoad) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 3, 0, 100, 10)}));
  sums.lost("a");
  EXPECT_EQ(sumOf(sums, "f").inFlight, 3);
  sums.present("a", false);
  EXPECT_EQ(sumOf(sums, "f").inFlight, 0) << "its requests ended with it";
}

TEST(LoadSums, ForgetsIdleFunctionsThatNobodyKnows) {
  LoadSums sums;
  sums.present("a", true);
  sums.told("a", line("1", {load("f", 0, 0, 100, 10), load("g", 0, 0, 5, 1)}));
  LoadLine next = line("1");
  next.gone = {{"shop", "f"}, {"shop", "never"}};
  sums.told("a", next);
  sums.expire(kStart);
  EXPECT_EQ(sums.loads(kStart).size(), 2U) << "f was active just then";
  sums.expire(kStart + milliseconds(1));
  EXPECT_EQ(sums.loads(kStart).size(), 1U);
  EXPECT_EQ(sumOf(sums, "g").requests, 1);
}

/// Gateways that count on their own, begin anew, go and come; the truth is added up beside them.
TEST(LoadSums, NeverFallAndEndAtTheTruthWhateverGatewaysDo) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::minstd_rand random(seed);
    struct Real {
      bool there = false;
      int instance = 0;
      std::int64_t millis = 0, requests = 0;
    };
    std::map<std::string, Real> gateways{{"a", {}}, {"b", {}}, {"c", {}}};
    LoadSums sums;
    std::int64_t truth = 0, before = 0;
    for (int step = 0; step < 300; ++step) {
      auto& [name, real] = *std::next(gateways.begin(), static_cast<int>(random() % 3));
      const auto tell = [&] { sums.told(name, line(std::to_string(real.instance), {load("f", 1, 0, real.millis, real.requests)})); };
      switch (random() % 6) {
        case 0:  // begins anew, when what it counted has been told
          if (real.there) {
            tell();
            sums.lost(name);
            real = {true, real.instance + 1, 0, 0};
            tell();
          }
          break;
        case 1:
          if (real.there) {
            tell();
            sums.gone(name);
            real = {false, real.instance + 1, 0, 0};
          }
          break;
        case 2:
          sums.present(name, random() % 2 == 0);
          real.there = true;
          break;
        default:
          if (real.there) {
            const auto more = static_cast<std::int64_t>(random() % 50);
            real.millis += more;
            ++real.requests;
            truth += more;
            tell();
          }
      }
      const auto now = sumOf(sums, "f").concurrencyMillis;
      ASSERT_GE(now, before) << "seed " << seed << " step " << step;
      before = now;
    }
    for (auto& [name, real] : gateways)
      if (real.there) sums.told(name, line(std::to_string(real.instance), {load("f", 0, 0, real.millis, real.requests)}));
    EXPECT_EQ(sumOf(sums, "f").concurrencyMillis, truth) << "seed " << seed;
  }
}

TEST(LoadLine, ReadsWhatItWrites) {
  LoadLine out = line("i-1", {load("f", 3, 1, 1234567890123, 10), load("g", 0, 0, 7, 1)});
  out.gateway = "gw-0";
  out.gone = {{"shop", "h"}};
  out.loads[0].lastActive = kStart - milliseconds(250);
  out.loads[1].lastActive = {};
  const Time there{seconds(5)};  // another machine's clock
  const auto in = readLoadLine(writeLoadLine(out, kStart), there);
  ASSERT_TRUE(in) << in.error();
  EXPECT_EQ(in->gateway, "gw-0");
  EXPECT_EQ(in->instance, "i-1");
  EXPECT_TRUE(in->complete);
  ASSERT_EQ(in->loads.size(), 2U);
  EXPECT_EQ(in->loads[0].name, "f");
  EXPECT_EQ(in->loads[0].inFlight, 3);
  EXPECT_EQ(in->loads[0].queued, 1);
  EXPECT_EQ(in->loads[0].concurrencyMillis, 1234567890123);
  EXPECT_EQ(in->loads[0].requests, 10);
  EXPECT_EQ(in->loads[0].at, there);
  EXPECT_EQ(in->loads[0].lastActive, there - milliseconds(250));
  EXPECT_EQ(in->loads[1].lastActive, Time{}) << "never";
  EXPECT_EQ(in->gone, out.gone);
}

TEST(LoadLine, RefusesWhatItDoesNotUnderstand) {
  const std::string good =
      R"({"gateway":"g","instance":"1","complete":true,"loads":[{"namespace":"a","name":"b","inFlight":1,"queued":0,"concurrencyMillis":1,"requests":1,"idleMillis":-1}]})";
  ASSERT_TRUE(readLoadLine(good, kStart));
  const auto with = [&](const std::string& what, const std::string& instead) {
    std::string text = good;
    return text.replace(text.find(what), what.size(), instead);
  };
  const std::string cases[] = {"",
                               "[]",
                               "{}",
                               good.substr(0, good.size() - 1),
                               with("\"instance\":\"1\",", ""),
                               with("\"complete\":true", "\"complete\":1"),
                               with("\"inFlight\":1", "\"inFlight\":-1"),
                               with("\"inFlight\":1", "\"inFlight\":4294967296"),
                               with("\"inFlight\":1", "\"inFlight\":1.5"),
                               with("\"requests\":1", "\"requests\":18446744073709551615"),
                               with("\"idleMillis\":-1", "\"idleMillis\":-2"),
                               with("\"name\":\"b\"", "\"name\":\"\""),
                               with("\"queued\":0,", "")};
  for (const auto& text : cases) EXPECT_FALSE(readLoadLine(text, kStart)) << text;
}

}  // namespace
}  // namespace pilotlight::core
