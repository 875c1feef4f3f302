#include "gateway/owners.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/api.h"
#include "gateway/owners_calls.h"

namespace pilotlight::gateway {

using std::chrono::milliseconds;

namespace {

constexpr int kConflictTries = 5;

FunctionEntry::KnownReplica replicaOf(const kube::Object& pod) {
  FunctionEntry::KnownReplica replica{.uid = pod.uid(), .pod = pod.name(), .ending = pod.deleting()};
  const std::string& version = pod.label(api::kLabelVersion);
  std::from_chars(version.data(), version.data() + version.size(), replica.version);
  if (const std::string& ip = pod.stringAt("/status/podIP"); !ip.empty()) replica.address = {ip, api::kShimPort};
  return replica;
}

}  // namespace

std::optional<api::RouteOwner> ownerIn(const kube::Object& route) {
  api::RouteOwner owner{route.stringAt("/status/owner/gateway"), route.stringAt("/status/owner/instance"),
                        route.intAt("/status/owner/epoch")};
  if (owner.gateway.empty() || owner.epoch <= 0) return std::nullopt;
  return owner;
}

bool mayRun(const kube::Object& pod) {
  const std::string& phase = pod.stringAt("/status/phase");
  return phase != "Failed" && phase != "Succeeded";
}

Owners::Owners(kube::Client& client, const Peers& peers, std::string instance, OwnersOptions options, Wake wake, Log log)
    : client_(client),
      peers_(peers),
      instance_(std::move(instance)),
      options_(options),
      wake_(std::move(wake)),
      log_(std::move(log)),
      timer_([this] { lookDue(); }) {
  net::ClientOptions clientOptions;
  clientOptions.connectTimeout = options_.connectTimeout;
  clientOptions.maxIdlePerAddress = 0;
  pool_ = std::make_unique<net::ClientPool>(loop_, clientOptions);
}

Owners::~Owners() {
  stop();
}

void Owners::start() {
  threads_.emplace_back([this] { loop_.run(); });
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

void Owners::stop() {
  queue_.shutDown();
  if (threads_.empty()) return;
  loop_.post([this] {
    timer_.cancel();
    askings_.clear();
    pings_.clear();
    later_.clear();
    pool_.reset();
  });
  loop_.stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

// --- which ---

Owners::Choice Owners::choose(const FunctionEntry& entry) const {
  const auto peers = peers_.all();
  std::vector<std::string> names;
  {
    std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const Peer& peer : *peers) {
      if (peer.name == self() && resigned()) continue;
      const auto found = unreachable_.find(peer.name);
      if (found == unreachable_.end() || found->second <= now) names.push_back(peer.name);
    }
  }
  Choice choice{core::chooseOwner(entry.key().toString(), entry.owner(), self(), resigned() ? "" : instance_, names), {}};
  if (choice.owner.gateway == self()) return choice;
  const auto found = std::ranges::find(*peers, choice.owner.gateway, &Peer::name);
  if (found != peers->end()) choice.address = found->address;
  return choice;
}

void Owners::heard(FunctionEntry& entry, const api::RouteOwner& owner) const {
  entry.heardOwner(owner, owner.gateway == self() && owner.instance == instance_);
}

void Owners::unreachable(const std::string& gateway) {
  std::lock_guard lock(mutex_);
  unreachable_[gateway] = Clock::now() + options_.unreachable;
}

bool Owners::silent(const std::string& gateway, const net::Address& address) {
  std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (const auto found = unreachable_.find(gateway); found != unreachable_.end() && found->second > now) return true;
  const auto [since, first] = pinged_.try_emplace(gateway, now);
  if (!first) return now - since->second > options_.silence;
  loop_.post([this, gateway, address] {
    if (pool_) pings_.push_back(std::make_unique<Ping>(*this, gateway, address));
  });
  return false;
}

void Owners::resign(const std::vector<std::shared_ptr<FunctionEntry>>& entries) {
  if (peers_.all()->size() < 2) return;
  resigned_ = true;
  for (const auto& entry : entries) entry->disown();
}

// --- by word of the API ---

void Owners::takeOver(std::shared_ptr<FunctionEntry> entry, std::int64_t after) {
  const kube::Key key = entry->key();
  add(key, {std::move(entry), after, {}});
}

void Owners::add(const kube::Key& key, Task task) {
  {
    std::lock_guard lock(mutex_);
    Task& known = tasks_[key];
    known.entry = std::move(task.entry);
    known.after = std::max(known.after, task.after);
    known.questions.insert(known.questions.end(), task.questions.begin(), task.questions.end());
  }
  queue_.add(key);
}

void Owners::run() {
  while (const auto key = queue_.take()) {
    Task task;
    {
      std::lock_guard lock(mutex_);
      if (const auto found = tasks_.find(*key); found != tasks_.end()) {
        task = std::move(found->second);
        tasks_.erase(found);
      }
    }
    if (task.entry && !work(*key, task)) {
      std::lock_guard lock(mutex_);
      Task& again = tasks_[*key];
      again.entry = task.entry;
      again.after = std::max(again.after, task.after);
      again.questions.insert(again.questions.end(), task.questions.begin(), task.questions.end());
      queue_.addRateLimited(*key);
    } else {
      queue_.forget(*key);
    }
    queue_.done(*key);
  }
}

bool Owners::work(const kube::Key& key, Task& task) {
  FunctionEntry& entry = *task.entry;
  if (!entry.limited()) {
    if (!lift(key, task)) return false;
    task.questions.clear();
  }
  const auto hold = entry.hold();
  Became became = Became::no;
  if (hold == FunctionEntry::Hold::none || resigned())
    entry.disown();
  else
    became = become(key, entry, task.after);
  if (became == Became::failed && (hold == FunctionEntry::Hold::owned || entry.load().queued > 0)) return false;
  if (became == Became::failed) entry.disown();  // who comes next tries again
  if (became != Became::owner) return giveUp(task);
  if (!entry.limited()) return true;  // its queue only
  const std::int64_t epoch = entry.owner()->epoch;
  const auto old = std::ranges::partition(task.questions, [&](const auto& each) { return each.lowest.epoch == epoch; });
  for (const auto& question : old) (void)entry.unanswered(question, false, options_.pauses);
  task.questions.erase(old.begin(), old.end());
  ask(task.entry, std::move(task.questions));
  ask(task.entry, entry.questions());
  return true;
}

bool Owners::giveUp(Task& task) {
  for (const auto& question : task.questions) (void)task.entry->unanswered(question, false, options_.pauses);
  return true;
}

/// Replicas that ask for tickets of a function that is not limited any more. This gateway's own word for that may be old.
bool Owners::lift(const kube::Key& key, Task& task) {
  if (task.questions.empty()) return true;
  const auto route = client_.get(kube::resources::functionRoutes, key);
  if (!route && route.error().code != kube::ErrorCode::notFound) return false;
  const auto owner = route ? ownerIn(*route) : std::nullopt;
  if (!route || route->at("/spec/reserved")) return giveUp(task);
  for (auto& question : task.questions) question.lowest = {std::max({question.lowest.epoch, owner ? owner->epoch : 0, std::int64_t{1}}), 0};
  ask(task.entry, std::move(task.questions));
  return true;
}

/// Reads who the owner is, and if it is nobody later than `after`, makes it this gateway.
Owners::Became Owners::become(const kube::Key& key, FunctionEntry& entry, std::int64_t after) {
  for (int attempt = 0; attempt < kConflictTries; ++attempt) {
    const auto route = client_.get(kube::resources::functionRoutes, key);
    if (!route && route.error().code == kube::ErrorCode::notFound) return entry.disown(), Became::no;
    if (!route) {
      log_("it is not known who gives out the function's slots; trying again", key, route.error().message);
      return Became::failed;
    }
    const auto known = ownerIn(*route);
    const bool owned = entry.hold() == FunctionEntry::Hold::owned;
    const auto heard = entry.owner();
    if (owned && known && known->epoch == heard->epoch && known->epoch >= after) return Became::owner;
    // Ours, but given up in between: with a new epoch, since its numbers begin again.
    const bool later = known && (owned ? known->epoch > heard->epoch : known->epoch > after && known->gateway != self());
    if (later) return entry.heardOwner(*known, false), entry.disown(), Became::no;
    const api::RouteOwner next{self(), instance_, std::max({known ? known->epoch : 0, heard ? heard->epoch : 0, after}) + 1};
    const kube::Json patch{{"metadata", {{"resourceVersion", route->resourceVersion()}}},
                           {"status", {{"owner", {{"gateway", next.gateway}, {"instance", next.instance}, {"epoch", next.epoch}}}}}};
    const auto written =
        client_.mergePatch(kube::resources::functionRoutes, key, patch, std::string(api::kManagerGateway) + "-owner", "status");
    if (written) {
      moves_.fetch_add(1, std::memory_order_relaxed);
      entry.heardOwner(next, true);
      if (!entry.limited()) return beginQueue(entry, known ? known->gateway : ""), Became::owner;
      return begin(key, entry, next.epoch) ? Became::owner : Became::failed;
    }
    if (written.error().code == kube::ErrorCode::conflict) continue;
    log_("the function's owner can't be written; trying again", key, written.error().message);
    return Became::failed;
  }
  return Became::failed;
}

/// From here on nobody else can begin with a replica; those that are there already are all asked first.
bool Owners::begin(const kube::Key& key, FunctionEntry& entry, std::int64_t epoch) {
  kube::ListOptions options;
  options.namespace_ = key.namespace_;
  options.labelSelector = std::string(api::kLabelFunction) + "=" + key.name;
  const auto pods = client_.list(kube::resources::pods, options);
  if (!pods) {
    log_("the function's replicas can't be listed; trying again", key, pods.error().message);
    return false;
  }
  std::vector<FunctionEntry::KnownReplica> replicas;
  for (const kube::Object& pod : pods->items)
    if (mayRun(pod)) replicas.push_back(replicaOf(pod));
  entry.own(epoch, replicas);
  return true;
}

/// All may have accepted requests that are not counted yet: this gateway, the others, even if they did not answer of late, and the last
/// owner (`before`), which may be about to end.
void Owners::beginQueue(FunctionEntry& entry, const std::string& before) {
  std::set<std::string> all;
  if (!before.empty()) all.insert(before);
  for (const Peer& peer : *peers_.all()) all.insert(peer.name);
  entry.ownQueue(std::move(all), Clock::now() + options_.silence);
}

}  // namespace pilotlight::gateway
