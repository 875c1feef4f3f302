#include "gateway/memory_guard.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace pilotlight::gateway {

using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t kMargin = 16ULL << 20;  // of a small limit, but never more than a quarter of it
constexpr std::uint64_t kFastest = 1ULL << 20;  // bytes a millisecond: what can come in at most
constexpr milliseconds kShortest{5}, kLongest{1000};
constexpr milliseconds kRelief{100};  // between two attempts to give memory back

std::string readText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

/// 0: no number, or as good as none ("max", and v1's highest).
std::uint64_t readLimit(const std::string& path) {
  const std::string text = readText(path);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value < (1ULL << 60) ? value : 0;
}

/// The lowest limit from the cgroup up to the root of its hierarchy. In a container the path may be that of the host: then
/// only the root is there, and is the container's own.
std::uint64_t lowestLimit(const std::string& hierarchy, std::string path, const char* file) {
  std::uint64_t lowest = 0;
  for (;;) {
    if (const std::uint64_t limit = readLimit(hierarchy + path + "/" + file); limit > 0)
      lowest = lowest == 0 ? limit : std::min(lowest, limit);
    if (path.empty()) return lowest;
    path.erase(path.rfind('/'));
  }
}

}  // namespace

std::uint64_t residentBytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t MemoryGroup::kernel() const {
  std::istringstream text(readText(kernelFile));
  if (!kernelFile.ends_with("memory.stat")) {
    std::uint64_t bytes = 0;
    text >> bytes;
    return bytes;
  }
  std::uint64_t total = 0, bytes = 0;
  for (std::string name; text >> name >> bytes;)
    if (name == "sock" || name == "slab_unreclaimable" || name == "kernel_stack" || name == "pagetables" || name == "percpu")
      total += bytes;
  return total;
}

std::optional<MemoryGroup> findMemoryGroup(const std::string& root) {
  std::istringstream memberships(readText(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(memberships, line);) {  // "0::/path" is v2, "4:memory:/path" v1
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const bool v2 = line.starts_with("0::");
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (!v2 && controllers.find(",memory,") == std::string::npos) continue;
    const std::string path = line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
    const std::string hierarchy = root + (v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
    const std::uint64_t limit = lowestLimit(hierarchy, path, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (limit == 0) continue;
    const char* kernel = v2 ? "/memory.stat" : "/memory.kmem.tcp.usage_in_bytes";
    const bool own = access((hierarchy + path + kernel).c_str(), R_OK) == 0;
    return MemoryGroup{limit, hierarchy + (own ? path : "") + kernel};
  }
  return std::nullopt;
}

MemoryGuard::MemoryGuard(Options options) : measure_(std::move(options.used)), changed_(std::move(options.changed)) {
  const std::optional<MemoryGroup> group = options.limit ? std::nullopt : findMemoryGroup();
  limit_ = options.limit ? *options.limit : group ? group->limit / 10 * 9 : 0;
  const std::uint64_t margin = std::min(options.reserve.value_or(std::max(limit_ / 8, std::min(kMargin, limit_ / 4))), limit_ / 2);
  refuseFrom_ = limit_ - margin;
  acceptBelow_ = refuseFrom_ - limit_ / 16;
  if (!measure_) measure_ = [group] { return residentBytes() + (group ? group->kernel() : 0); };
}

void MemoryGuard::start() {
  if (limit_ > 0) thread_ = std::thread([this] { run(); });
}

void MemoryGuard::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

MemoryGuard::Counts MemoryGuard::counts() const {
  return {limit_, used_.load(std::memory_order_relaxed), refused_.load(std::memory_order_relaxed), refusing()};
}

void MemoryGuard::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const std::uint64_t used = measure_();
    look(used);
    lock.lock();
    wake_.wait_for(lock, untilNextLook(used), [this] { return stopping_; });
  }
}

void MemoryGuard::look(std::uint64_t used) {
  used_.store(used, std::memory_order_relaxed);
  const bool before = refusing(), now = used >= (before ? acceptBelow_ : refuseFrom_);
  refusing_.store(now, std::memory_order_relaxed);
  const auto time = std::chrono::steady_clock::now();
  const bool relief = now && time - relieved_ >= kRelief;
  if (now != before || relief) changed_(now);
  if (!relief) return;
  relieved_ = time;
  malloc_trim(0);  // what has been freed is the system's again only now
}

milliseconds MemoryGuard::untilNextLook(std::uint64_t used) const {
  const std::uint64_t left = refuseFrom_ > used ? refuseFrom_ - used : 0;
  return std::clamp(milliseconds(left / kFastest), kShortest, kLongest);
}

}  // namespace pilotlight::gateway
