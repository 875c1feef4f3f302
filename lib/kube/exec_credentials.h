// Credentials from a program, as client.authentication.k8s.io/v1 has it (aws, gcloud, oidc-login and others).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kube/credentials.h"
#include "kube/time.h"

namespace pilotlight::kube {

struct ExecOptions {
  std::string command;  ///< a path, or a name looked up in PATH
  std::vector<std::string> args{};
  std::vector<std::pair<std::string, std::string>> environment{};  ///< added to the process's own
  std::string apiVersion = "client.authentication.k8s.io/v1";
  std::string cluster{};  ///< JSON for spec.cluster, of a plugin that asks for it; empty: none
  std::string installHint{};
  std::chrono::milliseconds timeout{std::chrono::seconds(30)};  ///< after which the program's process group is killed
  std::chrono::seconds margin{10};                              ///< what expires sooner is not used any more
  std::function<SystemTime()> now{};                            ///< default: the system clock
};

/// Runs the program when there is nothing yet, when what it gave expires, and after a rejection. Its standard error is
/// the process's own; its output is kept out of every error, since it holds the secret.
std::shared_ptr<CredentialSource> execCredentials(ExecOptions options);

struct ExecAnswer {
  Credentials credentials;
  std::optional<SystemTime> expires;  ///< nullopt: good until rejected
};
/// Reads an ExecCredential. The error says what is missing, never what is there.
std::expected<ExecAnswer, std::string> readExecCredential(const std::string& json, const std::string& apiVersion);

}  // namespace pilotlight::kube
