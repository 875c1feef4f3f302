// Where a certificate and its key lie.
#pragma once

#include <string>

namespace pilotlight::tls {

/// PEM files.
struct CertificateFiles {
  std::string name;  ///< for people: the Secret's
  std::string certificate, key;
};
/// A folder as Kubernetes mounts a Secret of type kubernetes.io/tls.
CertificateFiles certificateFolder(const std::string& path);

}  // namespace pilotlight::tls
