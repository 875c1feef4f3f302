// The kubeconfig file: where the API is and the token for it.
#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/state_dir.h"

namespace pilotlight::cli {

/// Name of cluster, user and context in the file that `pilotlight local` writes.
inline constexpr const char* kLocalContext = "pilotlight-local";

struct ApiAddress {
  std::string server;  ///< "http://127.0.0.1:39001"
  std::string token;
  std::string context;
  std::string namespace_ = "default";
  bool local() const { return context == kLocalContext; }
};

/// kubectl sends no bearer token over plain HTTP: such a server carries it in its URL too, as user and password.
std::string writeKubeconfig(const ApiAddress& address);
/// The current context; user and password are taken off the server. The error names what is missing or not supported.
std::expected<ApiAddress, std::string> readKubeconfig(const std::string& text);

struct ApiAddressSources {
  std::string flag;                ///< --kubeconfig
  std::filesystem::path stateDir;  ///< of the local instance
  Environment environment;
};

/// --kubeconfig, else the running local instance's file, else the first file of $KUBECONFIG. The error says how to start
/// a local instance.
std::expected<ApiAddress, std::string> findApi(const ApiAddressSources& sources);

}  // namespace pilotlight::cli
