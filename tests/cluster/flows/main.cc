// Judges NetworkPolicies by a table of connections that should and should not pass.
//   network_flows POLICIES TABLE
// POLICIES: what `kubectl get networkpolicies -A -o json` prints. TABLE: JSON with `namespaces` (labels by name), `endpoints` (namespace,
// labels, ip by name) and the lists `allowed` and `denied` of [from, to, port] or [from, to, port, protocol].
// Exit code 1 when one is judged otherwise; each is named.
#include <cstdio>
#include <fstream>

#include "tests/support/network_policies.h"

namespace {

using nlohmann::json;
using pilotlight::testing::Endpoint;

json read(const char* path) {
  std::ifstream file(path);
  return json::parse(file);
}

std::map<std::string, Endpoint> endpointsOf(const json& table) {
  std::map<std::string, Endpoint> endpoints;
  for (const auto& [name, is] : table.at("endpoints").items()) {
    endpoints[name] = {
        .namespace_ = is.value("namespace", ""), .labels = is.value("labels", pilotlight::testing::Labels()), .ip = is.value("ip", "")};
  }
  return endpoints;
}

int judge(const json& policies, const json& table) {
  pilotlight::testing::NetworkPolicies all(table.at("namespaces").get<std::map<std::string, pilotlight::testing::Labels>>());
  for (const json& policy : policies.at("items")) all.add(policy);
  const auto endpoints = endpointsOf(table);
  int wrong = 0;
  for (const bool expected : {true, false}) {
    for (const json& flow : table.at(expected ? "allowed" : "denied")) {
      const std::string protocol = flow.size() > 3 ? flow[3].get<std::string>() : "TCP";
      if (all.allow({endpoints.at(flow[0]), endpoints.at(flow[1]), flow[2], protocol}) == expected) continue;
      std::printf("%s is %s\n", flow.dump().c_str(), expected ? "denied" : "allowed");
      ++wrong;
    }
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    return judge(read(argv[1]), read(argv[2]));
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 2;
  }
}
