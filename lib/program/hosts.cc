#include "program/hosts.h"

#include <CLI/CLI.hpp>

namespace pilotlight::program {

namespace {

const CLI::Validator isLowerCase(
    [](const std::string& text) {
      return std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; }) ? "must be in lower case" : "";
    },
    "");

}  // namespace

void addHostOptions(CLI::App& app, core::HostRules& rules) {
  rules.clusterDomain = "cluster.local";
  app.add_option("--domain", rules.domain, "default host of a function: NAME.NAMESPACE.DOMAIN")->check(isLowerCase)->capture_default_str();
  app.add_option("--cluster-domain", rules.clusterDomain, "that the names of Services end with: NAME.NAMESPACE.svc.DOMAIN")
      ->check(isLowerCase)
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--allow-host",
         [&rules](const std::vector<std::string>& entries) {
           for (const auto& entry : entries)
             if (auto allowed = core::allowHosts(rules, entry); !allowed) throw CLI::ValidationError("--allow-host", allowed.error());
         },
         "SUFFIX=NAMESPACE,…: who may have hosts with it; * for all others, or all namespaces; default: a host is its first namespace's")
      ->check(isLowerCase);
}

}  // namespace pilotlight::program
