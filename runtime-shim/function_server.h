// Serves one function: admits requests up to the hard limit, times them out, counts them, and answers the shim's own
// endpoints. The handler is called through an Invoker.
//
// Refusals (503 with X-Pilotlight-Refused) are immediate and the handler never saw the request: `starting` while the
// invoker is not ready, `parked` while there is none, `draining` after beginDrain(), `concurrency` when all slots are taken,
// `ticket` and `fenced` by the tickets of a limited function (tickets.h).
// Loop thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "net/server.h"
#include "runtime-shim/config.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/log.h"
#include "runtime-shim/metrics.h"
#include "runtime-shim/pool.h"
#include "runtime-shim/tickets.h"

namespace pilotlight::shim {

class FunctionServer final : public net::Application {
 public:
  FunctionServer(net::Loop& loop, const Config& config, Invoker& invoker, Metrics& metrics, const Log& log);
  ~FunctionServer();

  void listen(net::Fd listener) { server_.listen(std::move(listener)); }
  void setReady(bool ready);
  /// There is no handler, but there will be when it is asked for: to the kubelet that is ready. Not together with setReady(true).
  void setParked(bool parked) { parked_ = parked; }
  /// From now on new requests are refused; connections are still accepted, so that nobody sees a refused connection.
  void beginDrain();
  bool draining() const { return draining_; }
  /// Stops accepting and closes the connections as they become idle; then `done`.
  void close(std::function<void()> done) { server_.drain(std::move(done)); }
  /// The same for one that stood in on a listening socket of another's.
  void leave(std::function<void()> done) { server_.leave(std::move(done)); }
  /// Asked for through the drain endpoint.
  void onDrainRequested(std::function<void()> listener) { drainRequested_ = std::move(listener); }
  /// The same for the park endpoint, while idle and ready; false: not now.
  void onParkRequested(std::function<bool()> listener) { parkRequested_ = std::move(listener); }
  /// The same for the light endpoint, while parked; what asked is answered once requests are taken.
  void onLightRequested(std::function<void()> listener) { lightRequested_ = std::move(listener); }
  /// Answers those who wait for it.
  void answerLights(bool lit);

  bool idle() const { return calls_.inUse() == 0; }
  std::size_t inFlight() const { return inFlight_; }
  std::size_t connections() const { return server_.connections(); }
  /// When the last request, refused or not, began or ended.
  net::Clock::time_point lastActivity() const { return lastActivity_; }

  net::ExchangeHandler* onRequest(net::Exchange& exchange) override;

 private:
  class ServedCall;
  class LightWait;

  bool answersItself(net::Exchange& exchange);
  net::ExchangeHandler* control(net::Exchange& exchange);
  void park(net::Exchange& exchange);
  net::ExchangeHandler* light(net::Exchange& exchange);
  void refuse(net::Exchange& exchange, std::string_view reason);
  std::string_view requestIdOf(const net::RequestHead& head);
  void answerTickets(net::Exchange& exchange);
  std::string_view notNow() const;
  void releaseSlot(const contract::Ticket& ticket);
  void forget(ServedCall& call);

  net::Loop& loop_;
  const Config& config_;
  Invoker& invoker_;
  Metrics& metrics_;
  const Log& log_;
  bool ready_ = false;
  bool parked_ = false;
  bool draining_ = false;
  std::function<void()> drainRequested_, lightRequested_;
  std::function<bool()> parkRequested_;
  std::vector<LightWait*> lightWaits_;  // each its own owner, until its exchange ends
  std::size_t inFlight_ = 0;
  Tickets tickets_;
  std::string idPrefix_, id_;  // id_: the last one made
  std::uint64_t idNext_ = 0;
  net::Clock::time_point lastActivity_{};
  net::Headers kept_;  // of the answer whose head is being sent
  Pool<ServedCall> calls_;
  net::Server server_;  // last: its destructor ends the exchanges
};

}  // namespace pilotlight::shim
