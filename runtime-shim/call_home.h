// Tells the gateways that this replica takes requests: POST to each until it answers 204, with growing delays from 5 ms
// to 1 s. Signed with the Function's key. From the pod's own address, by which the gateway knows it. Loop thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/client.h"
#include "runtime-shim/config.h"
#include "runtime-shim/log.h"

namespace pilotlight::shim {

class CallHome {
 public:
  CallHome(net::Loop& loop, const Config& config, std::uint16_t port, const Log& log);
  ~CallHome();
  void start();  ///< from the beginning
  void stop();

 private:
  class Attempt;
  net::Loop& loop_;
  const Settings& settings_;
  const Log& log_;
  std::string body() const;  // as of now

  const std::string identity_, key_;
  const net::Clock::time_point begun_;
  net::Clock::time_point ready_{};
  net::ClientPool pool_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
};

}  // namespace pilotlight::shim
