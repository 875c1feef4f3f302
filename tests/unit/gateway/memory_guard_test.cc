// When the gateway thinks that it is short of memory, and by what.
#include "gateway/memory_guard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "../net/harness.h"

namespace pilotlight::gateway::test {
namespace {

namespace fs = std::filesystem;
using net::test::eventually;

constexpr std::uint64_t kMiB = 1 << 20;

/// A copy of what /proc and /sys say, as a folder.
class FakeRoot {
 public:
  FakeRoot() {
    char name[] = "/tmp/memory-guard-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~FakeRoot() { fs::remove_all(path_); }
  void write(const std::string& file, const std::string& text) {
    fs::create_directories(fs::path(path_ + file).parent_path());
    std::ofstream(path_ + file) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(MemoryGroup, IsTheLowestLimitOfVersion2AndCountsWhatTheKernelHolds) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "0::/pods/gateway\n");
  root.write("/sys/fs/cgroup/pods/gateway/memory.max", "max\n");
  root.write("/sys/fs/cgroup/pods/memory.max", "104857600\n");
  root.write("/sys/fs/cgroup/memory.max", "209715200\n");
  root.write("/sys/fs/cgroup/pods/gateway/memory.stat",
             "anon 1000000\nfile 2000000\nkernel_stack 100\npagetables 20\nsock 3\nslab_reclaimable 5000\nslab_unreclaimable 4000\n");
  const auto group = findMemoryGroup(root.path());
  ASSERT_TRUE(group);
  EXPECT_EQ(group->limit, 100 * kMiB);
  EXPECT_EQ(group->kernel(), 4123u);
}

TEST(MemoryGroup, IsFoundInsideAContainerThatIsToldThePathOfItsHost) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
  root.write("/sys/fs/cgroup/memory/memory.kmem.tcp.usage_in_bytes", "8192\n");
  const auto group = findMemoryGroup(root.path());
  ASSERT_TRUE(group);
  EXPECT_EQ(group->limit, 64 * kMiB);
  EXPECT_EQ(group->kernel(), 8192u);
}

TEST(MemoryGroup, IsAbsentWhenNothingLimitsTheProcess) {
  FakeRoot root;
  EXPECT_FALSE(findMemoryGroup(root.path()));
  root.write("/proc/self/cgroup", "4:memory:/\n0::/\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_FALSE(findMemoryGroup(root.path()));
}

TEST(MemoryGuard, RefusesNearItsLimitAndTakesWorkAgainOnlyWellBelowIt) {
  std::atomic<std::uint64_t> used = 10 * kMiB;
  std::mutex mutex;
  std::vector<bool> told;
  MemoryGuard guard({.limit = 160 * kMiB,
                     .used = [&] { return used.load(); },
                     .changed =
                         [&](bool refusing) {
                           std::lock_guard lock(mutex);
                           if (told.empty() || told.back() != refusing) told.push_back(refusing);
                         }});
  guard.start();
  EXPECT_TRUE(eventually([&] { return guard.counts().used == 10 * kMiB; }));
  EXPECT_FALSE(guard.refusing());
  used = 141 * kMiB;
  EXPECT_TRUE(eventually([&] { return guard.refusing(); }));
  used = 135 * kMiB;  // below what it began at, but not by much
  EXPECT_TRUE(eventually([&] { return guard.counts().used == 135 * kMiB; }));
  EXPECT_TRUE(guard.refusing());
  used = 129 * kMiB;
  EXPECT_TRUE(eventually([&] { return !guard.refusing(); }));
  guard.stop();
  EXPECT_EQ(told, (std::vector<bool>{true, false}));
}

TEST(MemoryGuard, KeepsMoreOfASmallLimitForWhatIsInFlight) {
  std::atomic<std::uint64_t> used = 47 * kMiB;
  MemoryGuard guard({.limit = 64 * kMiB, .used = [&] { return used.load(); }, .changed = [](bool) {}});
  guard.start();
  EXPECT_TRUE(eventually([&] { return guard.counts().used == 47 * kMiB; }));
  EXPECT_FALSE(guard.refusing());
  used = 48 * kMiB;
  EXPECT_TRUE(eventually([&] { return guard.refusing(); }));
}

TEST(MemoryGuard, WithoutALimitNeverRefuses) {
  std::atomic<int> looks = 0;
  MemoryGuard guard({.limit = 0,
                     .used =
                         [&] {
                           ++looks;
                           return ~0ULL;
                         },
                     .changed = [](bool) { FAIL(); }});
  guard.start();
  guard.stop();
  EXPECT_FALSE(guard.refusing());
  EXPECT_EQ(looks, 0);
}

TEST(MemoryGuard, MeasuresTheProcess) {
  const std::uint64_t before = residentBytes();
  const std::size_t size = 32 * kMiB;
  const auto large = std::make_unique<volatile char[]>(size);
  for (std::size_t i = 0; i < size; i += 4096) large[i] = 'x';
  EXPECT_GT(residentBytes(), before + size / 2);
}

}  // namespace
}  // namespace pilotlight::gateway::test
