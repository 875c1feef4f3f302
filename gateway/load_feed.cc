#include "gateway/load_feed.h"

#include <algorithm>
#include <map>

namespace pilotlight::gateway {

namespace {

using Loads = std::vector<core::FunctionLoad>;

Loads loadsOf(const Registry& registry) {
  Loads loads;
  for (const auto& entry : registry.entries())
    if (entry->used()) loads.push_back(entry->load());
  return loads;
}

}  // namespace

/// One answer, and what it has told.
class LoadFeed::Listener final : public net::ExchangeHandler {
 public:
  Listener(LoadFeed& feed, net::Exchange& exchange) : feed_(feed), exchange_(exchange) {}

  void onBody(net::Exchange&, std::string_view) override {}
  void onBodyEnd(net::Exchange&) override {
    if (exchange_.headSent()) return;
    const net::Header fields[] = {{"Content-Type", "application/x-ndjson"}, {"Cache-Control", "no-store"}};
    exchange_.sendHead(200, "OK", fields, {net::BodyKind::chunked, 0});
    tellAll(loadsOf(feed_.registry_), true);
  }
  void onWritable(net::Exchange&) override { blocked_ = false; }
  void onEnd(net::Exchange&, bool) override { feed_.forget(*this); }

  void tellAll(const Loads& loads, bool first = false) {
    if (blocked_ || !exchange_.headSent()) return;
    core::LoadLine line = begin();
    std::map<core::FunctionId, Told> known;
    known.swap(told_);  // what is left there at the end is gone
    for (const auto& load : loads) {
      const core::FunctionId id{load.namespace_, load.name};
      const Told now = toldOf(load);
      const auto before = known.find(id);
      if (before == known.end() || before->second != now) line.loads.push_back(load);
      if (before != known.end()) known.erase(before);
      told_.emplace(id, now);
      if (line.loads.size() >= feed_.options_.lineLoads) send(line);
    }
    for (const auto& [id, before] : known) line.gone.push_back(id);
    line.complete = true;
    const bool silent = net::Clock::now() - sent_ >= feed_.options_.heartbeat;
    if (first || silent || !line.loads.empty() || !line.gone.empty()) send(line);
  }

  void tell(const core::FunctionLoad& load) {
    if (blocked_ || !exchange_.headSent()) return;
    core::LoadLine line = begin();
    line.complete = true;
    line.loads.push_back(load);
    told_.insert_or_assign({load.namespace_, load.name}, toldOf(load));
    send(line);
  }

  void finish() {
    if (exchange_.headSent()) exchange_.finish();
  }

 private:
  struct Told {
    int inFlight, queued;
    std::int64_t concurrencyMillis, requests;
    bool operator==(const Told&) const = default;
  };
  static Told toldOf(const core::FunctionLoad& load) { return {load.inFlight, load.queued, load.concurrencyMillis, load.requests}; }

  core::LoadLine begin() const {
    core::LoadLine line;
    line.gateway = feed_.gateway_;
    line.instance = feed_.instance_;
    return line;
  }
  void send(core::LoadLine& line) {
    sent_ = net::Clock::now();
    // A write that is not taken at once is kept by the connection: this line arrives, the next waits for the listener.
    if (!exchange_.write(core::writeLoadLine(line, sent_) + "\n")) blocked_ = true;
    line.loads.clear();
  }

  LoadFeed& feed_;
  net::Exchange& exchange_;
  std::map<core::FunctionId, Told> told_;
  net::Clock::time_point sent_{};
  bool blocked_ = false;
};

LoadFeed::LoadFeed(net::Loop& loop, const Registry& registry, std::string gateway, std::string instance, LoadFeedOptions options)
    : loop_(loop), registry_(registry), gateway_(std::move(gateway)), instance_(std::move(instance)), options_(options), timer_([this] {
        tick();
      }) {}

LoadFeed::~LoadFeed() = default;

net::ExchangeHandler* LoadFeed::open(net::Exchange& exchange) {
  if (ended_ || listeners_.size() >= options_.listeners) {
    exchange.respond(503, "application/json", "{\"error\":\"ServiceUnavailable\",\"message\":\"too many listen already\"}\n");
    return nullptr;
  }
  listeners_.push_back(std::make_unique<Listener>(*this, exchange));
  heard_ = true;
  if (!timer_.armed()) loop_.arm(timer_, options_.period);
  return listeners_.back().get();
}

void LoadFeed::end() {
  ended_ = true;
  timer_.cancel();
  std::vector<Listener*> all;  // a listener that has ended leaves the list
  for (const auto& listener : listeners_) all.push_back(listener.get());
  for (Listener* listener : all) listener->finish();
}

void LoadFeed::forget(Listener& listener) {
  const auto found = std::ranges::find(listeners_, &listener, &std::unique_ptr<Listener>::get);
  loop_.destroyLater(std::move(*found));
  listeners_.erase(found);
  if (!listeners_.empty()) return;
  heard_ = false;
  timer_.cancel();
}

void LoadFeed::tick() {
  loop_.arm(timer_, options_.period);
  const Loads loads = loadsOf(registry_);
  // By index: a listener whose connection breaks in between leaves the list.
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->tellAll(loads);
}

void LoadFeed::demand(const kube::Key& function) {
  if (!heard_.load(std::memory_order_acquire)) return;
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = demanded_.empty();
    demanded_.insert(function);
  }
  if (first) loop_.post([this] { tellDemanded(); });
}

void LoadFeed::tellDemanded() {
  std::set<kube::Key> demanded;
  {
    std::lock_guard lock(mutex_);
    demanded.swap(demanded_);
  }
  for (const kube::Key& key : demanded) {
    const auto entry = registry_.find(key);
    if (!entry) continue;
    const core::FunctionLoad load = entry->load();
    for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->tell(load);
  }
}

}  // namespace pilotlight::gateway
