#include "kube/informer.h"

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <variant>

#include "kube/reduce.h"

namespace pilotlight::kube {

namespace {

using Clock = std::chrono::steady_clock;

/// The states of an informer.
struct Listing {};
struct Watching {
  std::string resourceVersion;
};
struct BackingOff {
  std::variant<Listing, Watching> next;
  std::chrono::milliseconds atLeast{0};  ///< what the server asked for
};
struct Stopped {};
using State = std::variant<Listing, Watching, BackingOff, Stopped>;

/// A server may ask for patience, but not for blindness.
std::chrono::milliseconds retryAfter(const Error& error) {
  return std::min<std::chrono::milliseconds>(error.retryAfter.value_or(std::chrono::milliseconds(0)), std::chrono::seconds(30));
}

}  // namespace

struct Informer::Impl {
  Impl(Client& withClient, Store& intoStore, Resource ofResource, InformerOptions withOptions)
      : client(withClient), store(intoStore), resource(std::move(ofResource)), options(std::move(withOptions)) {}

  void run();
  State step(const Listing&);
  State step(const Watching& watching);
  State step(BackingOff& backingOff);
  State step(const Stopped&) { return Stopped{}; }

  State follow(WatchStream& stream, std::string resourceVersion);
  State afterWatchError(const Error& error, std::string resourceVersion);
  std::string handle(const WatchEvent& event);
  void replace(std::vector<Object> objects);
  void put(const Object& object);
  void erase(const Object& last);
  void tell(const Object& before, const Object& after) const;

  bool keep(std::shared_ptr<WatchStream> opened);
  void release();
  bool isStopping();

  Client& client;
  Store& store;
  const Resource resource;
  const InformerOptions options;
  std::vector<Handler> handlers;         // constant after start()
  std::chrono::milliseconds backoff{0};  // the informer's thread only: the last delay, 0 after a success
  std::atomic<std::int64_t> lists{0};

  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<WatchStream> stream;  // guarded by mutex
  bool stopping = false;                // guarded by mutex
  bool synced = false;                  // guarded by mutex
  std::thread thread;                   // start() and stop() only
};

Informer::Informer(Client& client, Resource resource, InformerOptions options) {
  for (const std::string& label : options.indexedLabels) store_.indexLabel(label);
  impl_ = std::make_unique<Impl>(client, store_, std::move(resource), std::move(options));
}

Informer::~Informer() {
  stop();
}

void Informer::addHandler(Handler handler) {
  impl_->handlers.push_back(std::move(handler));
}

void Informer::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void Informer::stop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    if (impl_->stream) impl_->stream->cancel();
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool Informer::waitForSync(std::chrono::milliseconds timeout) {
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait_for(lock, timeout, [this] { return impl_->synced || impl_->stopping; });
  return impl_->synced;
}

bool Informer::synced() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->synced;
}

std::int64_t Informer::restarts() const {
  return std::max<std::int64_t>(0, impl_->lists.load() - 1);
}

void Informer::Impl::run() {
  State state = Listing{};
  while (!std::holds_alternative<Stopped>(state)) {
    State next = std::visit([this](auto& now) { return step(now); }, state);
    state = isStopping() ? State(Stopped{}) : std::move(next);
  }
}

State Informer::Impl::step(const Listing&) {
  ListOptions page{options.namespace_, options.labelSelector, options.pageSize, "", options.fieldSelector, options.metadataOnly};
  std::vector<Object> objects;
  std::string resourceVersion;
  do {
    auto list = client.list(resource, page);
    if (!list) return BackingOff{Listing{}, retryAfter(list.error())};  // also when a page has expired: begin again
    for (const Object& object : list->items) objects.push_back(reduced(object, options.keep));
    resourceVersion = list->resourceVersion;
    page.continue_ = list->continue_;
    if (isStopping()) return Stopped{};
  } while (!page.continue_.empty());

  replace(std::move(objects));
  lists.fetch_add(1);
  {
    std::lock_guard lock(mutex);
    synced = true;
  }
  changed.notify_all();
  return Watching{std::move(resourceVersion)};
}

State Informer::Impl::step(const Watching& watching) {
  auto opened = client.watch(resource, {options.namespace_, options.labelSelector, watching.resourceVersion, options.watchTimeout,
                                        options.fieldSelector, options.metadataOnly});
  if (!opened) return afterWatchError(opened.error(), watching.resourceVersion);
  const std::shared_ptr<WatchStream> followed = *std::move(opened);
  if (!keep(followed)) return Stopped{};
  const Clock::time_point began = Clock::now();
  State next = follow(*followed, watching.resourceVersion);
  release();
  // A server that ends watches at once must not make us spin.
  auto* again = std::get_if<Watching>(&next);
  if (again == nullptr || Clock::now() - began >= options.backoffMin) return next;
  return BackingOff{std::move(*again)};
}

/// Until the watch ends. A watch that stays silent past the server's own timeout is dead without saying so.
State Informer::Impl::follow(WatchStream& watch, std::string resourceVersion) {
  while (true) {
    auto event = watch.next(options.watchTimeout + options.idleMargin);
    if (!event) return afterWatchError(event.error(), std::move(resourceVersion));
    if (!*event) return BackingOff{Watching{std::move(resourceVersion)}};
    backoff = std::chrono::milliseconds(0);
    resourceVersion = handle(**event);
  }
}

State Informer::Impl::afterWatchError(const Error& error, std::string resourceVersion) {
  const auto atLeast = retryAfter(error);
  switch (error.code) {
    case ErrorCode::timeout:
      return Watching{std::move(resourceVersion)};  // orderly
    case ErrorCode::gone:
      return BackingOff{Listing{}};
    case ErrorCode::unavailable:
    case ErrorCode::tooManyRequests:
    case ErrorCode::cancelled:
      return BackingOff{Watching{std::move(resourceVersion)}, atLeast};
    default:
      return BackingOff{Listing{}, atLeast};
  }
}

State Informer::Impl::step(BackingOff& backingOff) {
  backoff = backoff.count() == 0 ? options.backoffMin : std::min(backoff * 2, options.backoffMax);
  std::unique_lock lock(mutex);
  changed.wait_for(lock, std::max(backoff, backingOff.atLeast), [this] { return stopping; });
  return std::visit([](auto& next) { return State(std::move(next)); }, backingOff.next);
}

/// Returns the version to go on from.
std::string Informer::Impl::handle(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::added:
    case WatchEvent::Type::modified:
      put(reduced(event.object, options.keep));
      break;
    case WatchEvent::Type::deleted:
      erase(event.object);
      break;
    case WatchEvent::Type::bookmark:
      break;
  }
  return event.object.resourceVersion();
}

void Informer::Impl::replace(std::vector<Object> objects) {
  std::set<Key> present;
  for (const Object& object : objects) present.insert(object.key());
  for (const Object& object : store.list()) {
    if (!present.contains(object.key())) erase(object);
  }
  for (Object& object : objects) put(std::exchange(object, Object()));
}

void Informer::Impl::put(const Object& object) {
  const Object before = store.put(options.storeIdentity ? reduced(object, {"/kind"}) : object);
  if (!before || before.resourceVersion() != object.resourceVersion()) tell(before, object);
}

void Informer::Impl::erase(const Object& last) {
  if (const Object before = store.erase(last.key())) tell(before, Object());
}

void Informer::Impl::tell(const Object& before, const Object& after) const {
  for (const Handler& handler : handlers) handler(before, after);
}

bool Informer::Impl::keep(std::shared_ptr<WatchStream> opened) {
  std::lock_guard lock(mutex);
  if (stopping) return false;
  stream = std::move(opened);
  return true;
}

void Informer::Impl::release() {
  std::lock_guard lock(mutex);
  stream.reset();
}

bool Informer::Impl::isStopping() {
  std::lock_guard lock(mutex);
  return stopping;
}

}  // namespace pilotlight::kube
