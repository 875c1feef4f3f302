#include "kube/merge.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace pilotlight::kube {

namespace {

using Index = std::map<std::string, const Json*, std::less<>>;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The path element of one item of a list: its keys, or the value itself. nullopt when a key is missing.
std::optional<std::string> elementOf(const Json& item, const Shape& shape) {
  if (shape.kind == Shape::Kind::set) return "v:" + dumped(item);
  if (!item.is_object()) return std::nullopt;
  Json keys = Json::object();
  for (const std::string& key : shape.keys) {
    const auto found = item.find(key);
    if (found != item.end()) {
      keys[key] = *found;
    } else if (key == "protocol") {
      keys[key] = "TCP";  // the only key with a default
    } else {
      return std::nullopt;
    }
  }
  return "k:" + dumped(keys);
}

bool associative(const Json& value, const Shape& shape) {
  return value.is_array() && (shape.kind == Shape::Kind::set || shape.kind == Shape::Kind::listMap);
}

/// The items by path element; the error says what is wrong. Lists that break the rule are treated as one value.
std::expected<Index, std::string> indexed(const Json& list, const Shape& shape) {
  Index index;
  for (const Json& item : list) {
    const std::optional<std::string> element = elementOf(item, shape);
    if (!element) return std::unexpected(": an element without its key: " + dumped(item));
    if (!index.emplace(*element, &item).second) return std::unexpected(": two elements with the same key: " + dumped(item));
  }
  return index;
}

bool granular(const Json& value, const Shape& shape) {
  return value.is_object() && shape.kind != Shape::Kind::atomic;
}

FieldSet itemFields(const Json& item, const Shape& shape) {
  FieldSet set;
  if (shape.kind == Shape::Kind::listMap && !shape.atomicItems) set = fieldsOf(item, shape);
  set.member = true;
  return set;
}

void addChild(FieldSet& set, std::string element, FieldSet&& child) {
  if (child.empty()) return;
  const auto [found, added] = set.children.try_emplace(std::move(element), std::move(child));
  if (!added) found->second.add(child);  // not moved from
}

void addChild(Difference& into, const std::string& element, Difference&& child) {
  addChild(into.changed, element, std::move(child.changed));
  addChild(into.removed, element, std::move(child.removed));
}

Difference compareObjects(const Json& before, const Json& after, const Shape& shape) {
  Difference difference;
  for (const auto& [name, value] : after.items()) {
    const auto old = before.find(name);
    if (old == before.end()) {
      addChild(difference.changed, "f:" + name, fieldsOf(value, shape.field(name)));
    } else if (*old != value) {
      addChild(difference, "f:" + name, compare(*old, value, shape.field(name)));
    }
  }
  for (const auto& [name, value] : before.items()) {
    if (!after.contains(name)) addChild(difference.removed, "f:" + name, fieldsOf(value, shape.field(name)));
  }
  return difference;
}

Difference compareItems(const Index& before, const Index& after, const Shape& shape) {
  Difference difference;
  for (const auto& [element, item] : after) {
    const auto old = before.find(element);
    if (old == before.end()) {
      addChild(difference.changed, element, itemFields(*item, shape));
    } else if (*old->second != *item) {
      if (shape.atomicItems) {
        difference.changed.children[element].member = true;
      } else {
        addChild(difference, element, compare(*old->second, *item, shape));
      }
    }
  }
  for (const auto& [element, item] : before) {
    if (!after.contains(element)) addChild(difference.removed, element, itemFields(*item, shape));
  }
  return difference;
}

}  // namespace

FieldSet fieldsOf(const Json& value, const Shape& shape) {
  FieldSet set;
  if (granular(value, shape)) {
    for (const auto& [name, inner] : value.items()) addChild(set, "f:" + name, fieldsOf(inner, shape.field(name)));
  } else if (associative(value, shape)) {
    if (const auto index = indexed(value, shape)) {
      for (const auto& [element, item] : *index) addChild(set, element, itemFields(*item, shape));
    }
  }
  if (set.children.empty()) set.member = true;
  return set;
}

Difference compare(const Json& before, const Json& after, const Shape& shape) {
  if (before == after) return {};
  if (granular(before, shape) && granular(after, shape)) return compareObjects(before, after, shape);
  if (associative(before, shape) && associative(after, shape)) {
    const auto old = indexed(before, shape);
    const auto now = indexed(after, shape);
    if (old && now) return compareItems(*old, *now, shape);
  }
  Difference difference{fieldsOf(after, shape), fieldsOf(before, shape)};
  difference.removed.subtract(difference.changed);
  return difference;
}

namespace {

using Done = std::expected<void, std::string>;

Done mergeInto(Json& live, const Json& config, const Shape& shape);

Done mergeItem(Json& live, const Json& config, const Shape& shape) {
  if (shape.kind != Shape::Kind::set && !shape.atomicItems) return mergeInto(live, config, shape);
  live = config;
  return {};
}

/// Walks both lists: items only in `live` stay where they are, the others take the order of `config`.
Done mergeList(Json& live, const Json& config, const Shape& shape) {
  const auto wanted = indexed(config, shape);
  if (!wanted) return std::unexpected(wanted.error());
  if (!indexed(live, shape)) {
    live = config;
    return {};
  }
  std::vector<std::string> order;
  std::map<std::string, Json, std::less<>> present;
  for (Json& item : live) {
    order.push_back(*elementOf(item, shape));
    present.emplace(order.back(), std::move(item));
  }
  Json out = Json::array();
  std::size_t next = 0;  // in order
  const auto moveLiveOnly = [&](bool toEnd) {
    for (; next < order.size(); ++next) {
      const bool shared = wanted->contains(order[next]);
      if (shared && !toEnd) break;
      if (!shared) out.push_back(std::move(present[order[next]]));
    }
  };
  for (const Json& item : config) {
    const std::string element = *elementOf(item, shape);
    moveLiveOnly(false);
    Json& value = present[element];
    if (auto done = mergeItem(value, item, shape); !done) return done;
    out.push_back(std::move(value));
    if (next < order.size() && order[next] == element) ++next;
  }
  moveLiveOnly(true);
  live = std::move(out);
  return {};
}

Done mergeInto(Json& live, const Json& config, const Shape& shape) {
  if (associative(config, shape)) {
    if (!live.is_array()) live = Json::array();
    return mergeList(live, config, shape);
  }
  if (!granular(config, shape)) {
    live = config;
    return {};
  }
  if (!live.is_object()) live = Json::object();
  for (const auto& [name, value] : config.items()) {
    if (auto done = mergeInto(live[name], value, shape.field(name)); !done) return std::unexpected("." + name + done.error());
  }
  return {};
}

}  // namespace

std::expected<Json, std::string> merged(const Json& live, const Json& config, const Shape& shape) {
  Json out = live;
  if (auto done = mergeInto(out, config, shape); !done) return std::unexpected(done.error());
  return out;
}

namespace {

/// True when the value has become an empty container and should go.
bool pruneChild(Json& value, const Shape& shape, const FieldSet& dropped, const FieldSet* kept) {
  static const FieldSet nothing;
  const FieldSet& stay = kept == nullptr ? nothing : *kept;
  if (dropped.member && stay.empty()) return true;
  const bool wasEmpty = value.empty();
  prune(value, shape, dropped, stay);
  return !wasEmpty && value.is_structured() && value.empty() && !stay.member;
}

}  // namespace

void prune(Json& object, const Shape& shape, const FieldSet& dropped, const FieldSet& kept) {
  if (granular(object, shape)) {
    for (const auto& [element, child] : dropped.children) {
      const auto found = element.starts_with("f:") ? object.find(element.substr(2)) : object.end();
      if (found == object.end()) continue;
      if (pruneChild(*found, shape.field(element.substr(2)), child, kept.child(element))) object.erase(found);
    }
  } else if (associative(object, shape)) {
    Json out = Json::array();
    for (Json& item : object) {
      const std::optional<std::string> element = elementOf(item, shape);
      const FieldSet* child = element ? dropped.child(*element) : nullptr;
      if (child == nullptr || !pruneChild(item, shape, *child, kept.child(*element))) out.push_back(std::move(item));
    }
    object = std::move(out);
  }
}

}  // namespace pilotlight::kube
