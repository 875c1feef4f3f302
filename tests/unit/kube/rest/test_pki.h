// Certificates made for a test.
#pragma once

#include <string>
#include <vector>

namespace pilotlight::kube {

struct TestIdentity {
  std::string certificate, key;  ///< PEM
};

/// A self-signed authority.
TestIdentity makeAuthority(const std::string& name);
/// `names` are subjectAltNames as OpenSSL writes them: "IP:127.0.0.1", "DNS:example.com".
TestIdentity issue(const TestIdentity& authority, const std::string& commonName, const std::vector<std::string>& names);

}  // namespace pilotlight::kube
