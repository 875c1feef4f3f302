#include "gateway/gateway.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <random>
#include <utility>

#include "gateway/access_log.h"
#include "gateway/memory_guard.h"
#include "gateway/metrics.h"
#include "gateway/owners.h"
#include "gateway/places.h"
#include "gateway/pool.h"
#include "gateway/registry.h"
#include "gateway/waker.h"
#include "gateway/worker.h"
#include "tls/store.h"

namespace pilotlight::gateway {

namespace {

std::string newInstance() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i) text += std::to_string(random()) + (i < 3 ? "-" : "");
  return text;
}

}  // namespace

struct Gateway::Impl {
  Impl(kube::Client& client, GatewayOptions o, kube::Client* hasty)
      : options(std::move(o)),
        ownLog(options.writer ? nullptr
                              : std::make_unique<LogWriter>(
                                    LogWriterOptions{.sink = options.log, .fd = options.logFd, .ringBytes = options.accessLogBytes})),
        log(options.writer ? *options.writer : *ownLog),
        memory({options.memoryLimit, options.memoryReserve, options.memoryUsed, [this](bool refusing) { spareMemory(refusing); }}),
        peers(client, {options.name, options.uid, {}}, options.peers),
        keys(options.callHome,
             [this](const std::string& error) { warn("keys of shims can't be read; the last good ones stay", {}, error); }),
        pool(options.pool),
        owners(
            client, peers, newInstance(), options.owners, [this](std::shared_ptr<FunctionEntry> entry) { wake(std::move(entry)); },
            [this](std::string_view message, const kube::Key& about, const std::string& error) { warn(message, about, error); }),
        places(owners, keys, options.owners, [this](const kube::Key& key) { return registry.find(key); }),
        registry(client, options.watchNamespace, pool, places, options.name, options.hosts,
                 {options.pendingReplicas, options.pendingTimeout},
                 {[this](std::shared_ptr<const Snapshot> snapshot) { publish(std::move(snapshot)); },
                  [this](const net::Address& gone) {
                    for (auto& worker : workers) worker->forget(gone);
                  },
                  [this](std::shared_ptr<FunctionEntry> entry) { wake(std::move(entry)); },
                  [this](const std::shared_ptr<FunctionEntry>& entry, const api::RouteOwner& owner) { owners.heard(*entry, owner); },
                  [this](std::shared_ptr<FunctionEntry> entry) { owners.look(std::move(entry)); },
                  [this](std::string_view message, const kube::Key& about, const std::string& error) { warn(message, about, error); }}),
        waker(client, hasty ? *hasty : client, options.watchNamespace, options.wakeRetry, options.wakesAtOnce,
              [this](std::string_view message, const kube::Key& about, const std::string& error) { warn(message, about, error); }),
        shared{options,
               registry,
               waker,
               log,
               memory,
               owners,
               peers,
               keys,
               callHome,
               coldStarts,
               [this](const kube::Key& key) { demand(key); },
               [this] { return metrics(); },
               owners.instance(),
               std::to_string(std::chrono::ceil<std::chrono::seconds>(options.retryAfter).count()),
               0},
        tls(newStore()) {
    peers.addHandler([this](const Peers::List& all) {
      places.setGateways(static_cast<int>(all->size()));
      for (const auto& entry : registry.entries()) entry->recount();
    });
  }

  void publish(std::shared_ptr<const Snapshot> snapshot) {
    std::latch all(static_cast<std::ptrdiff_t>(workers.size()));
    for (auto& worker : workers) worker->publish(snapshot, [&all] { all.count_down(); });
    all.wait();
  }

  void wake(std::shared_ptr<FunctionEntry> entry) {
    workers.front()->lightLater(entry);
    if (entry->needsWake()) waker.wake(std::move(entry));
  }

  void spareMemory(bool on) {
    for (auto& worker : workers) worker->spareMemory(on);
    if (on == std::exchange(toldSparing, on)) return;
    std::string line;
    beginLogLine(line, "warn", on ? "memory is short; new requests are refused" : "memory suffices again");
    const MemoryGuard::Counts counts = memory.counts();
    log.write(line + ",\"used\":" + std::to_string(counts.used) + ",\"limit\":" + std::to_string(counts.limit) + "}");
  }

  void demand(const kube::Key& key) {
    for (auto& worker : workers) worker->demand(key);
    std::lock_guard lock(listenersMutex);
    for (const auto& listener : listeners) listener(key.namespace_, key.name);
  }

  std::unique_ptr<tls::Store> newStore() {
    if (options.tls.certificates.empty()) return nullptr;
    return std::make_unique<tls::Store>(
        tls::StoreOptions{.certificates = options.tls.certificates,
                          .http2 = options.server.http2,
                          .lookEvery = options.tls.lookEvery,
                          .log = [this](const tls::CertificateFiles& which, const std::string& error) { toldCertificate(which, error); }});
  }
  void toldCertificate(const tls::CertificateFiles& which, const std::string& error) {
    std::string line;
    beginLogLine(line, error.empty() ? "info" : "error",
                 error.empty() ? "new certificate taken" : "new certificate can't be used; the last good one stays");
    for (const auto& [key, value] :
         {std::pair("certificate", &which.name), std::pair("file", &which.certificate), std::pair("error", &error)}) {
      if (value->empty()) continue;
      line.append(",\"").append(key).append("\":");
      appendJsonString(line, *value);
    }
    log.write(line + "}");
  }

  void warn(std::string_view message, const kube::Key& about, const std::string& error) {
    std::string line;
    beginLogLine(line, "warn", message);
    line += ",\"object\":";
    appendJsonString(line, about.toString());
    line += ",\"error\":";
    appendJsonString(line, error);
    log.write(line + "}");
  }

  std::string metrics() {
    const auto entries = registry.entries();
    return renderMetrics(entries, {shared.unrouted.load(std::memory_order_relaxed), waker.patches(), log.dropped(),
                                   static_cast<std::uint64_t>(registry.watchRestarts()), owners.moves(),
                                   static_cast<std::uint64_t>(options.crashes), entries.size(), peers.all()->size(), pool.counts(),
                                   memory.counts(), &waker.sent(), &waker.answered(), &callHome, &coldStarts, tls.get()});
  }

  const GatewayOptions options;
  const std::unique_ptr<LogWriter> ownLog;
  LogWriter& log;
  MemoryGuard memory;
  Peers peers;
  CallHomeKeys keys;
  CallHomeCounts callHome;
  ColdStartHistograms coldStarts;
  Pool pool;
  Owners owners;
  Places places;
  Registry registry;
  Waker waker;
  Shared shared;
  const std::unique_ptr<tls::Store> tls;
  std::vector<std::unique_ptr<Worker>> workers;
  net::Address address, internalAddress, tlsAddress{};
  bool started = false, drained = false;
  bool toldSparing = false;  // by the memory guard's thread
  std::mutex listenersMutex;
  std::vector<std::function<void(const std::string&, const std::string&)>> listeners;  // guarded by listenersMutex
};

Gateway::Gateway(kube::Client& client, GatewayOptions options, kube::Client* hasty)
    : impl_(std::make_unique<Impl>(client, std::move(options), hasty)) {}

Gateway::~Gateway() {
  stop(std::chrono::milliseconds(0));
}

std::expected<Listeners, std::string> listen(const GatewayOptions& options) {
  auto open = net::listenTcp(options.listen);
  if (!open) return std::unexpected(open.error());
  auto internal = net::listenTcp(options.internalListen);
  if (!internal) return std::unexpected(internal.error());
  if (options.tls.certificates.empty()) return Listeners{*std::move(open), *std::move(internal), {}};
  auto secure = net::listenTcp(options.tls.listen);
  if (!secure) return std::unexpected(secure.error());
  return Listeners{*std::move(open), *std::move(internal), *std::move(secure)};
}

std::expected<void, std::string> Gateway::start() {
  auto listeners = listen(impl_->options);
  if (!listeners) return std::unexpected(listeners.error());
  return start(*std::move(listeners));
}

std::expected<void, std::string> Gateway::start(Listeners listeners) {
  if (impl_->tls) {
    if (auto read = impl_->tls->start(); !read) return read;
    impl_->tlsAddress = net::localAddress(listeners.secure.get());
  }
  impl_->address = net::localAddress(listeners.open.get());
  impl_->internalAddress = net::localAddress(listeners.internal.get());
  const int loops = impl_->options.loops > 0 ? impl_->options.loops : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (int i = 0; i < loops; ++i) impl_->workers.push_back(std::make_unique<Worker>(impl_->shared, i));
  impl_->started = true;
  impl_->peers.start(impl_->internalAddress.port);
  impl_->owners.start();
  impl_->places.start();
  if (!impl_->registry.start(impl_->options.syncTimeout) || !impl_->waker.start(impl_->options.syncTimeout) ||
      !impl_->peers.waitForSync(impl_->options.syncTimeout))
    return std::unexpected("the gateway's routes, pods, deployments and other gateways were not listed within " +
                           std::to_string(impl_->options.syncTimeout.count()) + " ms: is the API server there?");
  impl_->memory.start();
  const auto another = [](const net::Fd& fd) { return net::Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); };
  for (auto& worker : impl_->workers) {
    worker->listen(another(listeners.open), another(listeners.internal));
    if (impl_->tls) worker->listenTls(another(listeners.secure), *impl_->tls);
  }
  return {};
}

void Gateway::announceEnd() {
  impl_->shared.ending = true;
  impl_->owners.resign(impl_->registry.entries());
}

void Gateway::drain(std::chrono::milliseconds grace) {
  announceEnd();
  if (!impl_->started || std::exchange(impl_->drained, true)) return;
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t busy = 0;  // guarded by mutex
  };
  const auto state = std::make_shared<State>();  // a worker may be ready later than we wait
  state->busy = impl_->workers.size();
  for (auto& worker : impl_->workers)
    worker->drain([state] {
      std::lock_guard lock(state->mutex);
      --state->busy;
      state->changed.notify_all();
    });
  std::unique_lock lock(state->mutex);
  state->changed.wait_for(lock, grace, [&] { return state->busy == 0; });
}

void Gateway::stop(std::chrono::milliseconds grace) {
  drain(grace);
  if (!std::exchange(impl_->started, false)) return;
  impl_->registry.stop();
  impl_->waker.stop();
  impl_->places.stop();
  impl_->owners.stop();
  impl_->peers.stop();
  impl_->memory.stop();
  for (auto& worker : impl_->workers) worker->stop();
  impl_->workers.clear();
  if (impl_->tls) impl_->tls->stop();
}

net::Address Gateway::address() const {
  return impl_->address;
}
net::Address Gateway::internalAddress() const {
  return impl_->internalAddress;
}
net::Address Gateway::tlsAddress() const {
  return impl_->tlsAddress;
}
std::string Gateway::metrics() const {
  return impl_->metrics();
}
Peers& Gateway::peers() {
  return impl_->peers;
}

std::vector<core::FunctionLoad> Gateway::loads() const {
  std::vector<core::FunctionLoad> loads;
  for (const auto& entry : impl_->registry.entries())
    if (entry->used()) loads.push_back(entry->load());
  return loads;
}

void Gateway::onDemand(std::function<void(const std::string& namespace_, const std::string& name)> listener) {
  std::lock_guard lock(impl_->listenersMutex);
  impl_->listeners.push_back(std::move(listener));
}

}  // namespace pilotlight::gateway
