#include "core/load_sums.h"

#include <algorithm>

namespace pilotlight::core {

void LoadSums::present(const std::string& gateway, bool ready) {
  Gateway& known = gateways_[gateway];
  known.ready = ready;
  if (!ready && !known.heard) keepAll(known);
}

std::vector<FunctionId> LoadSums::told(const std::string& gateway, const LoadLine& line) {
  std::vector<FunctionId> demanded;
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return demanded;
  Gateway& known = found->second;
  if (known.instance != line.instance) keepAll(known);
  known.instance = line.instance;
  known.heard = known.heard || line.complete;
  for (const auto& load : line.loads) {
    const FunctionId id{load.namespace_, load.name};
    const auto [before, fresh] = known.loads.try_emplace(id, load);
    if (load.queued > (fresh ? 0 : before->second.queued)) demanded.push_back(id);
    if (fresh) continue;
    // A function that was made anew under the same name counts from zero.
    if (load.concurrencyMillis < before->second.concurrencyMillis || load.requests < before->second.requests) keep(id, before->second);
    before->second = load;
  }
  for (const auto& id : line.gone) {
    const auto before = known.loads.find(id);
    if (before == known.loads.end()) continue;
    keep(id, before->second);
    known.loads.erase(before);
  }
  return demanded;
}

void LoadSums::lost(const std::string& gateway) {
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return;
  found->second.heard = false;
  if (!found->second.ready) keepAll(found->second);
}

void LoadSums::gone(const std::string& gateway) {
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return;
  keepAll(found->second);
  gateways_.erase(found);
}

void LoadSums::expire(Time activeBefore) {
  std::erase_if(past_, [&](const auto& item) {
    const bool known = std::ranges::any_of(gateways_, [&](const auto& gateway) { return gateway.second.loads.contains(item.first); });
    return !known && item.second.lastActive < activeBefore;
  });
}

void LoadSums::keep(const FunctionId& id, const FunctionLoad& load) {
  Past& past = past_[id];
  past.concurrencyMillis += load.concurrencyMillis;
  past.requests += load.requests;
  // With load in it when it went, it was active until then.
  past.lastActive = std::max({past.lastActive, load.lastActive, load.inFlight + load.queued > 0 ? load.at : Time{}});
}

void LoadSums::keepAll(Gateway& gateway) {
  for (const auto& [id, load] : gateway.loads) keep(id, load);
  gateway.loads.clear();
  gateway.instance.clear();
}

std::vector<FunctionLoad> LoadSums::loads(Time now) const {
  std::map<FunctionId, FunctionLoad> sums;
  const auto sum = [&](const FunctionId& id) -> FunctionLoad& {
    FunctionLoad& load = sums[id];
    load.namespace_ = id.namespace_;
    load.name = id.name;
    return load;
  };
  for (const auto& [id, past] : past_) {
    FunctionLoad& load = sum(id);
    load.concurrencyMillis = past.concurrencyMillis;
    load.requests = past.requests;
    load.lastActive = past.lastActive;
  }
  for (const auto& [name, gateway] : gateways_) {
    for (const auto& [id, own] : gateway.loads) {
      FunctionLoad& load = sum(id);
      load.inFlight += own.inFlight;
      load.queued += own.queued;
      load.concurrencyMillis += own.concurrencyMillis;
      load.requests += own.requests;
      load.lastActive = std::max(load.lastActive, own.lastActive);
      if (gateway.heard && own.inFlight + own.queued > 0) load.at = std::max(load.at, own.at);
    }
  }
  std::vector<FunctionLoad> out;
  out.reserve(sums.size());
  for (auto& [id, load] : sums) {
    if (load.at == Time{}) load.at = now;  // the counts of what is idle stand still, so they are of any moment
    out.push_back(std::move(load));
  }
  return out;
}

bool LoadSums::complete() const {
  return heard() > 0 && missed() == 0;
}

std::size_t LoadSums::heard() const {
  return static_cast<std::size_t>(std::ranges::count_if(gateways_, [](const auto& item) { return item.second.heard; }));
}

std::size_t LoadSums::missed() const {
  return static_cast<std::size_t>(std::ranges::count_if(gateways_, [](const auto& item) { return missed(item.second); }));
}

}  // namespace pilotlight::core
