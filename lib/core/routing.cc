#include "core/routing.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <unordered_map>
#include <utility>

#include "core/host_claims.h"

namespace pilotlight::core {

struct RouteTable::Endpoint {
  std::size_t route;
  const Names* methods;         // null: all
  const Names* parameterNames;  // in the order of the path
};

struct RouteTable::Node {
  using Endpoints = boost::container::small_vector<Endpoint, 1>;        // more than one only where methods are named
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;  // by name
  std::unique_ptr<Node> parameter;
  Endpoints rest, here;  // a {proxy+} that starts here; a path that ends here

  auto place(std::string_view name) const {
    return std::ranges::lower_bound(literals, name, {}, [](const auto& of) { return std::string_view(of.first); });
  }
  const Node* literal(std::string_view name) const {
    const auto found = place(name);
    return found == literals.end() || found->first != name ? nullptr : found->second.get();
  }
  std::unique_ptr<Node>& literalToBe(std::string_view name) {
    auto found = literals.begin() + (place(name) - literals.cbegin());
    if (found == literals.end() || found->first != name) found = literals.emplace(found, std::string(name), nullptr);
    return found->second;
  }
};

/// Tries by name: a hash table with open addressing, at most half full, of places in one array.
class RouteTable::Sites {
 public:
  const Node* find(std::string_view name) const {
    const auto hash = hashOf(name);
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Slot slot = slots_[at];
      if (slot.site == 0) return nullptr;
      __builtin_prefetch(reinterpret_cast<const char*>(&sites_[slot.site - 1]) + 64);  // its endpoint
      if (slot.hash == hash && sites_[slot.site - 1].name == name) return &sites_[slot.site - 1].root;
    }
  }
  Node& operator[](const std::string& name) {
    if (const Node* known = find(name)) return const_cast<Node&>(*known);
    sites_.emplace_back(name);
    if (sites_.size() * 2 > slots_.size()) {
      slots_.assign(slots_.size() * 2, {});
      for (std::size_t i = 0; i < sites_.size(); ++i) put(i);
    } else {
      put(sites_.size() - 1);
    }
    return sites_.back().root;
  }
  bool empty() const { return sites_.empty(); }

 private:
  struct alignas(64) Site {
    std::string name;
    Node root{};
  };
  struct Slot {
    std::uint32_t hash = 0, site = 0;  // site: its place + 1; 0: free
  };
  static std::uint32_t hashOf(std::string_view name) { return static_cast<std::uint32_t>(std::hash<std::string_view>{}(name)); }
  std::size_t mask() const { return slots_.size() - 1; }
  void put(std::size_t site) {
    const auto hash = hashOf(sites_[site].name);
    std::size_t at = hash & mask();
    while (slots_[at].site != 0) at = (at + 1) & mask();
    slots_[at] = {hash, static_cast<std::uint32_t>(site + 1)};
  }

  std::vector<Site> sites_;
  std::vector<Slot> slots_ = std::vector<Slot>(16);
};

RouteTable::RouteTable() : hosts_(std::make_unique<Sites>()), locals_(std::make_unique<Sites>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

namespace {

constexpr std::size_t kMaxHost = 255;

/// The first segment of a path that starts with '/', without slashes; `rest` starts with '/' or is empty.
std::string_view firstSegment(std::string_view path, std::string_view& rest) {
  const std::size_t end = path.find('/', 1);
  rest = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  return path.substr(1, end == std::string_view::npos ? end : end - 1);
}

bool isDot(std::string_view& text) {
  if (text.starts_with('.')) return text.remove_prefix(1), true;
  if (text.size() >= 3 && text[0] == '%' && text[1] == '2' && (text[2] == 'e' || text[2] == 'E')) return text.remove_prefix(3), true;
  return false;
}

/// "." and ".." segments, percent-encoded or not: a handler might resolve them to a path that was routed elsewhere.
bool hasDotSegment(std::string_view path) {
  if (path.find('.') == std::string_view::npos && path.find('%') == std::string_view::npos) return false;
  while (!path.empty()) {
    std::string_view rest, segment = firstSegment(path, rest);
    if (isDot(segment)) {
      isDot(segment);
      if (segment.empty()) return true;
    }
    path = rest;
  }
  return false;
}

std::string_view lowerHost(std::string_view host, char (&buffer)[kMaxHost + 1]) {
  if (!host.empty() && host.front() == '[') {
    host = host.substr(0, host.find(']') + 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > kMaxHost) return {};
  for (std::size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    buffer[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return {buffer, host.size()};
}

bool overlaps(const std::vector<std::string>* a, const std::vector<std::string>* b) {
  if (!a || !b) return a == b;  // one with methods is more specific than one for all
  return std::ranges::any_of(*a, [&](const std::string& method) { return std::ranges::find(*b, method) != b->end(); });
}

}  // namespace

struct RouteTable::Builder {
  RouteTable table;
  std::span<const api::FunctionRoute* const> routes;
  const HostRules& rules;
  std::vector<RouteConflict>* conflicts;
  std::unordered_map<std::string_view, std::size_t> keepers{};  // by host: the first route there, whose namespace has it

  void add(std::size_t index) {
    const api::FunctionRouteSpec& spec = routes[index]->spec;
    for (const std::string& host : spec.hosts)
      if (mayHave(host, index)) addPaths(*table.hosts_, host, index);
    if (!spec.localPath.empty()) addPaths(*table.locals_, spec.localPath, index);
  }

  bool mayHave(const std::string& host, std::size_t index) {
    const auto& meta = routes[index]->metadata;
    if (hostRefusal({meta.namespace_, meta.name}, host, rules)) return false;
    const std::size_t keeper = keepers.try_emplace(host, index).first->second;
    if (routes[keeper]->metadata.namespace_ == meta.namespace_) return true;
    if (conflicts) conflicts->push_back({index, keeper, host, ""});
    return false;
  }

  const Names* known(Names names) { return names.empty() ? nullptr : &*table.names_.insert(std::move(names)).first; }

  void addPaths(Sites& sites, const std::string& key, std::size_t index) {
    Node& root = sites[key];
    const auto& paths = routes[index]->spec.routes;
    if (paths.empty()) place(root.rest, {index, nullptr, nullptr}, key, "/{proxy+}");  // its path is no parameter: it has it already
    for (const api::HttpRoute& route : paths) addPath(root, route.path, route.methods, key, index);
  }

  void addPath(Node& root, std::string_view path, const Names& methods, const std::string& key, std::size_t index) {
    Node* node = &root;
    Names names;
    std::string_view left = path;
    while (!left.empty()) {
      std::string_view rest;
      const std::string_view segment = firstSegment(left, rest);
      if (segment.starts_with('{') && segment.ends_with("+}")) {
        names.emplace_back(segment.substr(1, segment.size() - 3));
        return place(node->rest, {index, known(methods), known(std::move(names))}, key, path);
      }
      auto& child = segment.starts_with('{') ? node->parameter : node->literalToBe(segment);
      if (segment.starts_with('{')) names.emplace_back(segment.substr(1, segment.size() - 2));
      if (!child) child = std::make_unique<Node>();
      node = child.get();
      left = rest;
    }
    place(node->here, {index, known(methods), known(std::move(names))}, key, path);
  }

  void place(Node::Endpoints& endpoints, Endpoint endpoint, const std::string& key, std::string_view path) {
    for (const Endpoint& other : endpoints) {
      if (!overlaps(other.methods, endpoint.methods)) continue;
      if (other.route != endpoint.route && conflicts) conflicts->push_back({endpoint.route, other.route, key, std::string(path)});
      if (!endpoint.methods) return;
      Names left = *endpoint.methods;
      std::erase_if(left, [&](const std::string& method) { return std::ranges::find(*other.methods, method) != other.methods->end(); });
      if (left.empty()) return;
      endpoint.methods = known(std::move(left));
    }
    // Those that name their methods are tried before those for all.
    endpoints.insert(endpoint.methods ? endpoints.begin() : endpoints.end(), endpoint);
  }
};

RouteTable RouteTable::build(std::span<const api::FunctionRoute* const> routes, const HostRules& rules,
                             std::vector<RouteConflict>* conflicts) {
  std::vector<std::pair<Precedence, std::size_t>> order;
  order.reserve(routes.size());
  for (const api::FunctionRoute* route : routes)
    order.push_back({{route->spec.created, {route->metadata.namespace_, route->metadata.name}}, order.size()});
  std::ranges::sort(order);
  Builder builder{{}, routes, rules, conflicts};
  for (const auto& [precedence, index] : order) builder.add(index);
  return std::move(builder.table);
}

namespace {

struct Walk {
  std::string_view method;
  RouteMatch& match;
  bool pathSeen = false;  // some endpoint has this path, with another method
};

template <class Endpoints>
bool choose(const Endpoints& endpoints, std::size_t values, Walk& walk) {
  for (const auto& endpoint : endpoints) {
    if (!std::exchange(walk.pathSeen, true)) walk.match.route = endpoint.route;
    if (endpoint.methods && std::ranges::find(*endpoint.methods, walk.method) == endpoint.methods->end()) continue;
    walk.match.outcome = RouteMatch::Outcome::found;
    walk.match.route = endpoint.route;
    if (!endpoint.parameterNames) values = 0;
    walk.match.parameterCount = values;
    for (std::size_t i = 0; i < values; ++i) walk.match.parameters[i].name = (*endpoint.parameterNames)[i];
    return true;
  }
  return false;
}

template <class Node>
bool descend(const Node& node, std::string_view path, std::size_t values, Walk& walk) {
  if (path.empty()) return choose(node.here, values, walk);
  std::string_view rest;
  const std::string_view segment = firstSegment(path, rest);
  if (const Node* literal = node.literal(segment))
    if (descend(*literal, rest, values, walk)) return true;
  if (values == RouteMatch::kMaxParameters) return false;
  if (node.parameter && !segment.empty()) {
    walk.match.parameters[values].value = segment;
    if (descend(*node.parameter, rest, values + 1, walk)) return true;
  }
  walk.match.parameters[values].value = path.substr(1);
  return choose(node.rest, node.rest.empty() ? 0 : values + 1, walk);
}

}  // namespace

bool RouteTable::matchTrie(const Node& root, std::string_view path, std::string_view method, RouteMatch& match) {
  match.path = path;
  Walk walk{method, match};
  if (descend(root, path, 0, walk)) return true;
  match.outcome = walk.pathSeen ? RouteMatch::Outcome::noMethod : RouteMatch::Outcome::noPath;
  return false;
}

bool RouteTable::matchLocal(std::string_view path, std::string_view method, RouteMatch& match) const {
  if (locals_->empty()) return false;
  std::string_view afterOne, afterTwo;
  const std::string_view first = firstSegment(path, afterOne);
  if (first.empty()) return false;
  const auto attempt = [&](std::string_view rest) {
    const std::string_view prefix = path.substr(0, path.size() - rest.size());
    const Node* found = locals_->find(prefix);
    if (!found) return false;
    match.prefix = prefix;
    return matchTrie(*found, rest.empty() ? std::string_view("/") : rest, method, match);
  };
  if (afterOne.size() > 1) {
    firstSegment(afterOne, afterTwo);
    if (attempt(afterTwo)) return true;
  }
  return attempt(afterOne);
}

RouteMatch RouteTable::match(std::string_view host, std::string_view path, std::string_view method) const {
  RouteMatch match;
  if (path.empty() || path.front() != '/' || hasDotSegment(path)) {
    match.outcome = RouteMatch::Outcome::badPath;
    return match;
  }
  char buffer[kMaxHost + 1];
  const Node* trie = hosts_->find(lowerHost(host, buffer));
  if (trie && matchTrie(*trie, path, method, match)) return match;
  const RouteMatch byHost = match;
  if (matchLocal(path, method, match)) return match;
  return match.outcome == RouteMatch::Outcome::noHost ? byHost : match;
}

}  // namespace pilotlight::core
