// A real nginx in front of a backend, listening on a socket in its own folder.
#pragma once

#include "net/socket.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::test {

class Nginx {
 public:
  explicit Nginx(std::uint16_t backendPort);
  net::Fd connect() const;  ///< a new connection; empty when there is none
  std::string errors() const { return process_.err(); }

 private:
  Command writeConfiguration(std::uint16_t backendPort);

  TempDir dir_;
  Subprocess process_;
};

}  // namespace pilotlight::test
