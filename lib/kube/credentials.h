// What a client shows to an API server: a bearer token, a certificate, or nothing. Both may change while it runs.
//
// Thread-safety: a CredentialSource may be asked from any thread; who asks while another reads a file waits for it.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "kube/types.h"

namespace pilotlight::kube {

/// Never logged, and never part of an error.
struct Credentials {
  std::string bearerToken{};  ///< empty: none
  std::string certificate{};  ///< PEM, the client's first; empty: none
  std::string key{};          ///< PEM
  bool operator==(const Credentials&) const = default;
};

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// May read a file or run a program, within the source's own deadline. Error.forbidden: there are none.
  virtual Result<Credentials> current() = 0;
  /// The server answered 401: what current() gave is not to be given again. True when asking again may help.
  virtual bool reject() = 0;
};

std::shared_ptr<CredentialSource> fixedCredentials(Credentials credentials);

struct TokenFileOptions {
  std::filesystem::path path;
  std::chrono::seconds keep{60};                                 ///< the kubelet replaces the file long before the old token expires
  std::function<std::chrono::steady_clock::time_point()> now{};  ///< default: the steady clock
};
/// Reads the token again when what it read is older than `keep`, or was rejected. A file that has become unreadable
/// leaves the last token in use: it may still be valid. `base` has what does not change.
std::shared_ptr<CredentialSource> tokenFileCredentials(TokenFileOptions options, Credentials base = {});

}  // namespace pilotlight::kube
