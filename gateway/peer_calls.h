// Tells the other gateways of a replica that has called this one, so that a cold start is over for all of them at once. As good
// as it goes: what is not told, or not taken, they learn from the API a little later. Loop thread only.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "gateway/call_home_counts.h"
#include "gateway/call_home_keys.h"
#include "gateway/peers.h"
#include "gateway/registration.h"
#include "net/client.h"
#include "net/loop.h"

namespace pilotlight::gateway {

class PeerCalls {
 public:
  PeerCalls(net::Loop& loop, const Peers& peers, CallHomeKeys& keys, const CallHomeOptions& options, CallHomeCounts& counts);
  ~PeerCalls();
  PeerCalls(const PeerCalls&) = delete;

  void pass(const Registration& registration);

 private:
  class Call;
  void sweep();

  net::Loop& loop_;
  const Peers& peers_;
  CallHomeKeys& keys_;
  const CallHomeOptions& options_;
  CallHomeCounts& counts_;
  net::ClientPool pool_;
  std::vector<std::unique_ptr<Call>> calls_;
  net::Timer sweep_;  // of those that have ended, out of their own callbacks
};

}  // namespace pilotlight::gateway
