#include "kube/ownership.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kube/merge.h"

namespace pilotlight::kube {

FieldSet Ownership::of(const Manager& manager) const {
  const auto found = std::ranges::find(entries_, manager, &Entry::manager);
  return found == entries_.end() ? FieldSet{} : FieldSet::unpack(found->fields);
}

FieldSet Ownership::ofOthers(const Manager& manager) const {
  FieldSet fields;
  for (const Entry& entry : entries_) {
    if (entry.manager != manager) fields.add(FieldSet::unpack(entry.fields));
  }
  return fields;
}

std::vector<Ownership::Conflict> Ownership::conflicts(const Manager& manager, const FieldSet& changed) const {
  std::vector<Conflict> out;
  if (changed.empty()) return out;
  for (const Entry& entry : entries_) {
    if (entry.manager == manager) continue;
    FieldSet common = FieldSet::unpack(entry.fields).intersect(changed);
    if (!common.empty()) out.push_back({entry.manager, std::move(common)});
  }
  return out;
}

void Ownership::set(const Manager& manager, const FieldSet& fields) {
  const auto found = std::ranges::find(entries_, manager, &Entry::manager);
  if (fields.empty()) {
    if (found != entries_.end()) entries_.erase(found);
  } else if (found != entries_.end()) {
    found->fields = fields.pack();
  } else {
    entries_.push_back({manager, fields.pack()});
  }
}

void Ownership::takeFromOthers(const Manager& manager, const FieldSet& fields) {
  for (const Conflict& conflict : conflicts(manager, fields)) {
    FieldSet rest = of(conflict.manager);
    rest.subtract(fields);
    set(conflict.manager, rest);
  }
}

void Ownership::updated(const Manager& manager, const FieldSet& changed, const FieldSet& removed) {
  FieldSet taken = changed;
  taken.add(removed);
  takeFromOthers(manager, taken);
  FieldSet mine = of(manager);
  mine.subtract(removed);
  mine.add(changed);
  set(manager, mine);
}

namespace {

std::string describe(const Manager& manager) {
  std::string out = "\"" + manager.name + "\"";
  if (!manager.subresource.empty()) out += " with subresource \"" + manager.subresource + "\"";
  return out;
}

std::string describe(const std::vector<Ownership::Conflict>& conflicts) {
  std::size_t count = 0;
  std::string list;
  for (const Ownership::Conflict& conflict : conflicts) {
    list += (list.empty() ? "conflict with " : "; conflict with ") + describe(conflict.manager) + ":";
    for (const std::string& path : conflict.fields.paths()) {
      list += " " + path;
      ++count;
    }
  }
  return "Apply failed with " + std::to_string(count) + (count == 1 ? " conflict: " : " conflicts: ") + list;
}

}  // namespace

std::expected<Applied, ApplyFailure> applyConfig(const Json& live, const Ownership& owners, const Json& config, const Manager& manager,
                                                 bool force, const Shape& shape) {
  auto next = merged(live, config, shape);
  if (!next) return std::unexpected(ApplyFailure{ErrorCode::invalid, next.error()});
  FieldSet mine;
  if (!config.empty()) mine = fieldsOf(config, shape);
  FieldSet kept = owners.ofOthers(manager);
  kept.add(mine);
  prune(*next, shape, owners.of(manager), kept);

  const Difference difference = compare(live, *next, shape);
  if (const auto conflicts = owners.conflicts(manager, difference.changed); !conflicts.empty() && !force) {
    return std::unexpected(ApplyFailure{ErrorCode::conflict, describe(conflicts)});
  }
  Applied applied{*std::move(next), owners};
  FieldSet taken = difference.changed;
  taken.add(difference.removed);
  applied.owners.takeFromOthers(manager, taken);
  applied.owners.set(manager, mine);
  return applied;
}

}  // namespace pilotlight::kube
