#include "net/wire.h"

namespace pilotlight::net {

void Wire::end() {
  ending_ = !goodbye();
  if (!ending_) shutdown(fd_.get(), SHUT_WR);
}

}  // namespace pilotlight::net
