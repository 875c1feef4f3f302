// Routing a hostile host, path and method: what is found lies within the path, and a match repeats.
#include <cstdlib>
#include <string_view>

#include "core/routing.h"

using namespace pilotlight;

namespace {

core::RouteTable makeTable() {
  static std::vector<api::FunctionRoute> routes(3);
  routes[0].metadata.name = "a";
  routes[0].spec.hosts = {"a.example", "localhost"};
  routes[0].spec.routes = {{"/users/{id}", {"GET"}}, {"/users/me", {}}, {"/{x}/y/{z}", {}}, {"/files/{proxy+}", {}}};
  routes[1].metadata.name = "b";
  routes[1].spec.hosts = {"a.example"};
  routes[2].metadata.name = "c";
  routes[2].spec.localPath = "/shop/c";
  std::vector<const api::FunctionRoute*> plain;
  for (const auto& route : routes) plain.push_back(&route);
  return core::RouteTable::build(plain);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const core::RouteTable table = makeTable();
  const std::string_view data(reinterpret_cast<const char*>(bytes), size);
  const std::size_t first = data.find('\n');
  const std::size_t second = first == std::string_view::npos ? first : data.find('\n', first + 1);
  if (second == std::string_view::npos) return 0;
  const std::string_view host = data.substr(0, first), path = data.substr(first + 1, second - first - 1), method = data.substr(second + 1);
  const core::RouteMatch match = table.match(host, path, method);
  if (match.outcome != core::RouteMatch::Outcome::found) return 0;
  if (match.route >= 3 || match.path.empty() || match.path.front() != '/' || match.parameterCount > core::RouteMatch::kMaxParameters)
    std::abort();
  for (std::size_t i = 0; i < match.parameterCount; ++i)
    if (match.path.find(match.parameters[i].value) == std::string_view::npos) std::abort();
  return 0;
}
