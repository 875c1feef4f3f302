// What serves takes all descriptors that it may have; what it starts gets the limit that the user has set.
#include <signal.h>
#include <sys/resource.h>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

constexpr rlim_t kUsual = 700;

class DescriptorLimit : public LocalTest {
 protected:
  DescriptorLimit() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit usual{kUsual, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  }
  ~DescriptorLimit() override { setrlimit(RLIMIT_NOFILE, &before_); }

  static rlim_t softLimitOf(pid_t pid) {
    rlimit limit{};
    EXPECT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
    return limit.rlim_cur;
  }

  rlimit before_{};
};

TEST_F(DescriptorLimit, IsRaisedForWhatServesAndNotForHandlers) {
  local.addFile("limits/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: limits}\n"
                "spec: {runtime: exec, handler: [sh, -c, 'ulimit -Sn; ulimit -Hn'], scale: {min: 1}}\n");
  local.addExample("hello");
  ASSERT_NO_FATAL_FAILURE(startWith({"limits", "hello"}));
  EXPECT_EQ(body(local.get("/limits")), std::to_string(kUsual) + "\n" + std::to_string(before_.rlim_max) + "\n");
  EXPECT_EQ(status(local.get("/hello")), 200);
  EXPECT_EQ(softLimitOf(local.pid()), before_.rlim_max);
  int hosts = 0;
  for (const Process& process : local.tree()) {
    if (process.command.find("pilotlight-shim") != std::string::npos) {
      EXPECT_EQ(softLimitOf(process.pid), before_.rlim_max) << process.command;
    }
    if (process.command.find("pilotlight-native-host") != std::string::npos) {
      ++hosts;
      EXPECT_EQ(softLimitOf(process.pid), kUsual) << "user code runs in it";
    }
  }
  EXPECT_GT(hosts, 0);
}

}  // namespace
}  // namespace pilotlight::test
