#include <mutex>

#include "kube/informer.h"

namespace pilotlight::kube {

Object Store::get(const Key& key) const {
  std::shared_lock lock(mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? Object() : found->second;
}

std::vector<Object> Store::list() const {
  std::shared_lock lock(mutex_);
  std::vector<Object> out;
  out.reserve(objects_.size());
  for (const auto& [key, object] : objects_) out.push_back(object);
  return out;
}

std::vector<Object> Store::byLabel(const std::string& label, const std::string& value) const {
  std::shared_lock lock(mutex_);
  std::vector<Object> out;
  if (const auto index = byLabel_.find(label); index != byLabel_.end()) {
    const auto found = index->second.find(value);
    if (found == index->second.end()) return out;
    out.reserve(found->second.size());
    for (const auto& [key, object] : found->second) out.push_back(object);
    return out;
  }
  for (const auto& [key, object] : objects_) {
    if (object.label(label) == value) out.push_back(object);
  }
  return out;
}

std::size_t Store::size() const {
  std::shared_lock lock(mutex_);
  return objects_.size();
}

void Store::indexLabel(std::string label) {
  std::unique_lock lock(mutex_);
  byLabel_.try_emplace(std::move(label));
}

Object Store::put(const Object& object) {
  const Key key = object.key();
  std::unique_lock lock(mutex_);
  Object before = std::exchange(objects_[key], object);
  for (auto& [label, values] : byLabel_) {
    unindex(values, label, key, before);
    if (const std::string& value = object.label(label); !value.empty()) values[value][key] = object;
  }
  return before;
}

Object Store::erase(const Key& key) {
  std::unique_lock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return {};
  Object before = std::move(found->second);
  objects_.erase(found);
  for (auto& [label, values] : byLabel_) unindex(values, label, key, before);
  return before;
}

void Store::unindex(Values& values, const std::string& label, const Key& key, const Object& before) {
  if (!before) return;
  const auto old = values.find(before.label(label));
  if (old == values.end()) return;
  old->second.erase(key);
  if (old->second.empty()) values.erase(old);
}

}  // namespace pilotlight::kube
