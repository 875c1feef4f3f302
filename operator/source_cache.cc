#include "operator/source_cache.h"

#include <nlohmann/json.hpp>

namespace pilotlight::op {

namespace {

using core::Source;
using core::SourceKind;

kube::InformerOptions metadataOf(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  options.metadataOnly = true;
  options.keep = {"/kind"};
  return options;
}

// From the object as it is: an unreadable spec is another's concern.
std::set<Source> namedBy(const kube::Object& function) {
  std::set<Source> named;
  for (const auto& [kind, pointer] : {std::pair{SourceKind::secret, "/spec/secrets"}, std::pair{SourceKind::configMap, "/spec/config"}}) {
    const auto* list = function ? function.at(pointer) : nullptr;
    if (list == nullptr || !list->is_array()) {
      continue;
    }
    for (const auto& entry : *list) {
      if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) {
        named.insert({kind, entry["name"].get<std::string>()});
      }
    }
  }
  return named;
}

}  // namespace

SourceCache::SourceCache(kube::Client& client, const std::vector<std::string>& namespaces, std::function<void(const kube::Key&)> changed)
    : changed_(std::move(changed)) {
  for (const std::string& name : namespaces) {
    const std::string namespace_ = name == "*" ? "" : name;
    std::unique_ptr<Watched> both(new Watched{{client, kube::resources::secrets, metadataOf(namespace_)},
                                              {client, kube::resources::configMaps, metadataOf(namespace_)}});
    both->secrets.addHandler(
        [this](const kube::Object& before, const kube::Object& after) { sourceChanged(SourceKind::secret, before, after); });
    both->configMaps.addHandler(
        [this](const kube::Object& before, const kube::Object& after) { sourceChanged(SourceKind::configMap, before, after); });
    watched_.emplace(namespace_, std::move(both));
  }
}

void SourceCache::functionChanged(const kube::Object& before, const kube::Object& after) {
  const kube::Key key = (after ? after : before).key();
  const std::scoped_lock lock(mutex_);
  for (const Source& source : namedBy(before)) {
    const auto found = users_.find({key.namespace_, source});
    if (found != users_.end() && found->second.erase(key) > 0 && found->second.empty()) {
      users_.erase(found);
    }
  }
  for (const Source& source : namedBy(after)) {
    users_[{key.namespace_, source}].insert(key);
  }
}

void SourceCache::sourceChanged(SourceKind kind, const kube::Object& before, const kube::Object& after) {
  const kube::Key key = (after ? after : before).key();
  std::set<kube::Key> users;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = users_.find({key.namespace_, {kind, key.name}}); found != users_.end()) {
      users = found->second;
    }
  }
  for (const kube::Key& function : users) {
    changed_(function);
  }
}

const SourceCache::Watched* SourceCache::watched(const std::string& namespace_) const {
  for (const std::string& name : {namespace_, std::string()}) {
    if (const auto found = watched_.find(name); found != watched_.end()) {
      return found->second.get();
    }
  }
  return nullptr;
}

core::SourceView SourceCache::view(const std::string& namespace_, const std::vector<Source>& sources) const {
  using Sight = core::SourceView::Sight;
  const Watched* from = watched(namespace_);
  if (from == nullptr) {
    return {.sight = Sight::none, .revisions = {}};
  }
  if (!from->secrets.synced() || !from->configMaps.synced()) {
    return {.sight = Sight::notYet, .revisions = {}};
  }
  core::SourceView view{.sight = Sight::clear, .revisions = {}};
  for (const Source& source : sources) {
    const auto& informer = source.kind == SourceKind::secret ? from->secrets : from->configMaps;
    if (const kube::Object object = informer.store().get({namespace_, source.name})) {
      view.revisions[source] = object.uid() + "/" + object.resourceVersion();
    }
  }
  return view;
}

void SourceCache::start() {
  for (const auto& [namespace_, both] : watched_) {
    both->secrets.start();
    both->configMaps.start();
  }
}

void SourceCache::stop() {
  for (const auto& [namespace_, both] : watched_) {
    both->secrets.stop();
    both->configMaps.stop();
  }
}

bool SourceCache::waitForSync(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto left = [deadline] {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()),
                    std::chrono::milliseconds(0));
  };
  bool all = true;
  for (const auto& [namespace_, both] : watched_) {
    all = both->secrets.waitForSync(left()) && both->configMaps.waitForSync(left()) && all;
  }
  return all;
}

}  // namespace pilotlight::op
