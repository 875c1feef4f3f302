// A request of a limited function that asks the owner, another gateway, for a slot. ticket_desk.h has what is said.
// Loop thread only, that of the request.
#pragma once

#include <memory>
#include <string>

#include "gateway/function_entry.h"
#include "gateway/owners.h"
#include "net/client.h"

namespace pilotlight::gateway {

class Worker;

class TicketCall final : public net::ClientHandler {
 public:
  /// Who asked. Told from a callback of the loop, never from within ask().
  struct Asker {
    virtual void onTicket(Upstream& upstream, const contract::Ticket& ticket) = 0;
    virtual void onNoTicket(Limit limit) = 0;  ///< 429
    /// It was not the owner, or is gone, or ends: ask again. `waited`: the request had been taken into its queue.
    virtual void onTicketLost(bool waited) = 0;

   protected:
    ~Asker() = default;
  };
  struct Request {
    std::int64_t bytes = 0;  ///< what holding it costs
    bool accepted = false;   ///< it had been taken into a queue before
  };
  TicketCall(Worker& worker, std::shared_ptr<FunctionEntry> entry, const Owners::Choice& owner, const Request& request, Asker& asker);
  ~TicketCall();
  TicketCall(const TicketCall&) = delete;

  /// The replica did not take the request, which waits for another slot, before those that came later.
  void again(Ended how);
  /// The request has left its replica. The asker is told nothing any more. True: it has to live until Worker::forget().
  [[nodiscard]] bool end(Ended how);

  void onHead(const net::ResponseHead& head) override;
  void onBody(std::string_view part) override;
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure failure) override;

 private:
  bool waits() const { return upstream_.uid.empty(); }
  void lost();
  void onTimer();

  Worker& worker_;
  const std::shared_ptr<FunctionEntry> entry_;
  const std::string gateway_;
  const net::Address address_;
  Asker* asker_;
  net::ClientCall* call_ = nullptr;
  bool ending_ = false;
  int status_ = 0;
  std::string line_;
  net::Timer timer_;   // while it waits: is the owner still there?
  Upstream upstream_;  // the replica, as the owner knows it; its slot is counted there
};

}  // namespace pilotlight::gateway
