#include "cli/local/process_runner.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "api/types.h"
#include "cli/local/mounts.h"
#include "cli/local/pod.h"
#include "kube/informer.h"

namespace pilotlight::local {

namespace fs = std::filesystem;

namespace {

/// After SIGKILL nothing but the kernel can delay the end of a process.
constexpr std::chrono::seconds kKillWait{5};

/// Makes the state folder and locks it for the life of the descriptor (the kernel unlocks it, however this program ends).
std::expected<net::Fd, std::string> takeStateDir(const std::string& stateDir) {
  if (!fs::path(stateDir).is_absolute()) return std::unexpected("state folder '" + stateDir + "' must be an absolute path");
  if (auto made = makeFolders(fs::path(stateDir)); !made) return std::unexpected(made.error());
  const std::string path = stateDir + "/runner.lock";
  net::Fd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return std::unexpected("open " + path + ": " + std::strerror(errno));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return std::unexpected("state folder " + stateDir + " is in use by another pilotlight local");
  return std::unexpected("lock " + path + ": " + std::strerror(errno));
}

/// Removes the folders of an earlier run's pods.
std::expected<void, std::string> clearPods(const std::string& stateDir) {
  const fs::path pods = fs::path(stateDir) / "pods";
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(pods, error))) return std::unexpected(pods.string() + " is a link: nothing is removed there");
  std::vector<fs::path> stale;
  for (fs::directory_iterator entry(pods, error), end; !error && entry != end; entry.increment(error)) stale.push_back(entry->path());
  for (const fs::path& folder : stale) removeTree(folder);
  return makeFolders(pods);
}

}  // namespace

struct ProcessRunner::Impl {
  Impl(kube::Client& client, LogStore& logs, ProcessRunnerOptions runnerOptions);

  std::expected<void, std::string> start();
  void stop();

  // Constant after construction.
  const ProcessRunnerOptions options;
  // Any thread.
  net::Loop loop;
  std::atomic<int> running{0};
  kube::Informer podInformer, secretInformer, configMapInformer;

  // The thread of start() and stop().
  net::Fd lock;
  std::thread thread;

 private:
  void podChanged(const kube::Object& before, const kube::Object& after);
  void sourceChanged(SourceKind kind, const kube::Key& key);
  void admit(Pod& pod);
  void admitWaiting();
  void processChanged(const Pod& pod);
  void podOver(const Pod& pod);
  void beginStop();
  void stopIfDone();
  void killStragglers();
  void endOrphans();

  // Loop thread. After `context`: Pods use it until they are destroyed.
  PodContext context;
  std::unordered_map<std::string, std::unique_ptr<Pod>> pods;  // by uid
  std::deque<std::string> waiting;                             // uids of Pods without room, oldest first; may name gone ones
  int admitted = 0;                                            // Pods that have room
  enum class Mode { serving, stopping, killing } mode = Mode::serving;
  net::Timer stopTimer{[this] { killStragglers(); }};
  net::Timer orphanTimer{[this] { endOrphans(); }};
};

ProcessRunner::Impl::Impl(kube::Client& client, LogStore& logs, ProcessRunnerOptions runnerOptions)
    : options(std::move(runnerOptions)),
      podInformer(client, kube::resources::pods),
      secretInformer(client, kube::resources::secrets),
      configMapInformer(client, kube::resources::configMaps),
      context{client,
              logs,
              options,
              loop,
              AddressPool(api::kShimPort),
              PortPool(),
              [this](Pod& pod) { processChanged(pod); },
              [this](Pod& pod) { podOver(pod); }} {
  podInformer.addHandler(
      [this](const kube::Object& before, const kube::Object& after) { loop.post([this, before, after] { podChanged(before, after); }); });
  const auto watchSources = [this](kube::Informer& informer, SourceKind kind) {
    informer.addHandler([this, kind](const kube::Object& before, const kube::Object& after) {
      loop.post([this, kind, key = (after ? after : before).key()] { sourceChanged(kind, key); });
    });
  };
  watchSources(secretInformer, SourceKind::secret);
  watchSources(configMapInformer, SourceKind::configMap);
}

std::expected<void, std::string> ProcessRunner::Impl::start() {
  auto taken = takeStateDir(options.stateDir);
  if (!taken) return std::unexpected(taken.error());
  lock = std::move(*taken);
  if (auto cleared = clearPods(options.stateDir); !cleared) return cleared;
  if (options.endOrphans) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  thread = std::thread([this] { loop.run(); });
  for (kube::Informer* informer : {&secretInformer, &configMapInformer, &podInformer}) informer->start();
  for (kube::Informer* informer : {&secretInformer, &configMapInformer, &podInformer})
    if (!informer->waitForSync(options.syncTimeout))
      return std::unexpected("read pods, secrets and configMaps: no answer from the API in time");
  return {};
}

void ProcessRunner::Impl::stop() {
  if (thread.joinable()) {
    for (kube::Informer* informer : {&podInformer, &secretInformer, &configMapInformer}) informer->stop();
    loop.post([this] { beginStop(); });
    thread.join();
    pods.clear();
  }
  lock.reset();
}

// --- loop thread ---

void ProcessRunner::Impl::podChanged(const kube::Object& before, const kube::Object& after) {
  if (before && (!after || after.uid() != before.uid())) {
    const auto gone = pods.find(before.uid());
    if (gone != pods.end()) gone->second->vanished();
  }
  if (!after || mode != Mode::serving) return;
  auto& pod = pods[after.uid()];
  if (pod) return pod->update(after);
  pod = std::make_unique<Pod>(context, after);
  if (after.deleting()) return pod->update(after);
  if (admitted < options.maxPods) return admit(*pod);
  waiting.push_back(after.uid());
  pod->waitForRoom(admitted);
}

void ProcessRunner::Impl::admit(Pod& pod) {
  ++admitted;
  pod.start();
}

void ProcessRunner::Impl::admitWaiting() {
  while (mode == Mode::serving && admitted < options.maxPods && !waiting.empty()) {
    const auto found = pods.find(waiting.front());
    waiting.pop_front();
    if (found != pods.end() && found->second->waitsForRoom()) admit(*found->second);
  }
}

void ProcessRunner::Impl::sourceChanged(SourceKind kind, const kube::Key& key) {
  if (mode != Mode::serving) return;
  for (const auto& [uid, pod] : pods) pod->sourceChanged({kind, key});
}

void ProcessRunner::Impl::processChanged(const Pod& pod) {
  running += pod.alive() ? 1 : -1;
  if (!pod.alive() && options.endOrphans) endOrphans();
}

// Ended orphans give their own children to us: looked for again until there are none.
void ProcessRunner::Impl::endOrphans() {
  std::unordered_set<pid_t> own;
  for (const auto& [uid, pod] : pods)
    if (pod->pid() > 0) own.insert(pod->pid());
  bool found = false;
  for (const pid_t child : childrenOfThisProcess()) {
    if (own.contains(child)) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, WNOHANG);
    found = true;
  }
  if (found) loop.arm(orphanTimer, std::chrono::milliseconds(10));
}

void ProcessRunner::Impl::podOver(const Pod& pod) {
  const auto found = pods.find(pod.uid());
  if (found == pods.end()) return;
  if (pod.hasRoom()) --admitted;
  loop.destroyLater(std::move(found->second));
  pods.erase(found);
  admitWaiting();
  if (mode != Mode::serving) stopIfDone();
}

void ProcessRunner::Impl::beginStop() {
  mode = Mode::stopping;
  std::vector<Pod*> all;  // shutDown() may take a Pod out of the map
  for (const auto& [uid, pod] : pods) all.push_back(pod.get());
  for (Pod* pod : all) pod->shutDown();
  loop.arm(stopTimer, options.stopGrace);
  stopIfDone();
}

void ProcessRunner::Impl::stopIfDone() {
  if (!pods.empty()) return;
  stopTimer.cancel();
  loop.stop();
}

void ProcessRunner::Impl::killStragglers() {
  if (mode == Mode::killing) return loop.stop();  // the kernel keeps them: nothing more can be done
  mode = Mode::killing;
  for (const auto& [uid, pod] : pods) pod->kill();
  loop.arm(stopTimer, kKillWait);
}

// --- the outside ---

ProcessRunner::ProcessRunner(kube::Client& client, LogStore& logs, ProcessRunnerOptions options)
    : impl_(std::make_unique<Impl>(client, logs, std::move(options))) {}

ProcessRunner::~ProcessRunner() {
  stop();
}

std::expected<void, std::string> ProcessRunner::start() {
  auto started = impl_->start();
  if (!started) stop();
  return started;
}

void ProcessRunner::stop() {
  impl_->stop();
}

int ProcessRunner::running() const {
  return impl_->running;
}

}  // namespace pilotlight::local
