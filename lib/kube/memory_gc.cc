// Owner references, as the garbage collector of the controller manager treats them: a dependent whose owners are all
// gone is deleted; references to those that are gone are dropped from one that has others.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/meta.h"

namespace pilotlight::kube {

bool MemoryCluster::State::ownerLives(const Json& owner, const std::string& namespace_) {
  const std::string& apiVersion = owner["apiVersion"].get_ref<const std::string&>();
  const std::string& kind = owner["kind"].get_ref<const std::string&>();
  const Resource* resource = resources::find(apiVersion, kind);
  if (resource == nullptr) return true;  // of a kind that isn't kept here: not ours to judge
  const Stored* stored = find(table(*resource), Key{namespace_, owner["name"].get<std::string>()});
  return stored != nullptr && stored->version->live().uid() == owner["uid"].get_ref<const std::string&>();
}

void MemoryCluster::State::collectDependent(const Dependent& dependent) {
  const Stored* stored = find(*dependent.table, dependent.key);
  if (stored == nullptr) return;
  const Object live = stored->version->live();
  const Json* owners = live.at("/metadata/ownerReferences");
  if (owners == nullptr || owners->empty()) return;
  Json solid = Json::array();
  for (const Json& owner : *owners) {
    if (ownerLives(owner, dependent.key.namespace_)) solid.push_back(owner);
  }
  if (solid.size() == owners->size()) return;
  if (solid.empty()) {
    const Attempt attempt{"collect", dependent.table->resource, dependent.key};
    if (!removeOne(*dependent.table, attempt, {})) std::abort();  // it was found above, and nobody else writes
    return;
  }
  Json next = live.json();
  next["metadata"]["ownerReferences"] = std::move(solid);
  store(*dependent.table, dependent.key, std::move(next), stored->owners);
}

void MemoryCluster::State::collectGarbage() {
  while (!garbage_.empty()) {
    const Dependent dependent = std::move(garbage_.front());
    garbage_.pop_front();
    collectDependent(dependent);
  }
}

}  // namespace pilotlight::kube
