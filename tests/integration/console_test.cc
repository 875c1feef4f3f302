// Where stdout goes never matters to requests: what nobody takes is dropped, and counted.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class Console : public LocalTest {
 protected:
  /// Many times what a pipe and the gateway's ring hold, in the access log's lines.
  static constexpr int kLines = 300;
  void requestLongPaths() {
    HttpConnection connection(local.port());
    for (int i = 0; i < kLines; ++i) {
      ASSERT_EQ(status(connection.send({.target = "/" + std::string(7000, 'x')})), 404);
    }
  }

  double dropped() const {
    const std::string name = "\npilotlight_gateway_access_log_dropped_total ", metrics = local.metrics();
    const std::size_t at = metrics.find(name);
    return at == std::string::npos ? -1 : std::stod(metrics.substr(at + name.size()));
  }

  void expectServesCountsAndEnds(int stdoutFd, int leastDropped) {
    local.addExample("hello");
    const auto started = local.start({"--access-log", "all", "--loops", "1"}, stdoutFd);
    ASSERT_TRUE(started) << started.error();
    ASSERT_TRUE(local.waitUntilReady("hello"));
    requestLongPaths();
    EXPECT_EQ(status(local.get("/hello")), 200);
    EXPECT_TRUE(waitUntil([&] { return dropped() >= leastDropped; }, 5s)) << local.metrics();
    EXPECT_EQ(local.stop(SIGTERM), 0);
  }
};

TEST_F(Console, AFullDiskBehindStdoutCostsLinesAndNothingElse) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  expectServesCountsAndEnds(full, kLines);
  close(full);
}

TEST_F(Console, APipeThatNobodyReadsCostsLinesAndNothingElse) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  expectServesCountsAndEnds(ends[1], 1);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace pilotlight::test
