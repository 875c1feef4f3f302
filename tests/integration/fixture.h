// One `pilotlight local` per test; its output is shown when the test fails.
#pragma once

#include <gmock/gmock.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/support/local_instance.h"
#include "tests/support/wait.h"

namespace pilotlight::test {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class LocalTest : public ::testing::Test {
 protected:
  ~LocalTest() override {
    if (HasFailure()) std::cerr << "--- output of pilotlight local\n" << local.output() << "---\n";
  }

  void start() {
    const auto started = local.start();
    ASSERT_TRUE(started) << started.error();
  }

  /// Starts, and waits until the named functions are Ready.
  void startWith(const std::vector<std::string>& functions) {
    ASSERT_NO_FATAL_FAILURE(start());
    for (const std::string& name : functions) {
      ASSERT_TRUE(local.waitUntilReady(name)) << name << ": " << local.function(name).dump(2);
    }
  }

  static std::string body(const HttpResult& result) { return result ? result->body : result.error(); }
  static int status(const HttpResult& result) { return result ? result->status : -1; }

  LocalInstance local;
};

}  // namespace pilotlight::test
