// One request on its way through the gateway: admitted or held, sent to a replica, answered, perhaps sent again.
//
// Lives in its worker's pool and is reused; a warm request allocates nothing. Loop thread only.
//   idle -> held -> sent -> answering or tunnelling -> idle
//             \-> (a slot frees) -> sent;  sent -> (marked refusal, no connection) -> held or backingOff -> sent
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/function_entry.h"
#include "gateway/snapshot.h"
#include "gateway/ticket_call.h"
#include "net/client.h"
#include "net/server.h"

namespace pilotlight::gateway {

class Worker;

class Session final : public SlotTaker, public TicketCall::Asker, public net::ExchangeHandler, public net::ClientHandler {
 public:
  explicit Session(Worker& worker);

  /// Takes the request over. Returns its handler, or nullptr when it was answered at once.
  net::ExchangeHandler* begin(net::Exchange& exchange, std::shared_ptr<const Snapshot> snapshot, const core::RouteMatch& match);

  // SlotTaker
  net::Loop& ownerLoop() override;
  void onGrant(Upstream& upstream) override;
  void onMoved() override;
  void onNoPlace(Limit limit) override;

  // TicketCall::Asker
  void onTicket(Upstream& upstream, const contract::Ticket& ticket) override;
  void onNoTicket(Limit limit) override;
  void onTicketLost(bool waited) override;

  // net::ExchangeHandler
  void onBody(net::Exchange& exchange, std::string_view part) override;
  void onBodyEnd(net::Exchange& exchange) override;
  void onWritable(net::Exchange& exchange) override;
  void onEnd(net::Exchange& exchange, bool complete) override;

  // net::ClientHandler
  void onInterim(const net::ResponseHead& head) override;
  void onHead(const net::ResponseHead& head) override;
  void onBody(std::string_view part) override;
  void onPeerEnd() override;
  void onEnd(std::span<const net::Header> trailers) override;
  void onWritable() override;
  void onFailure(net::ClientFailure failure) override;

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : std::uint8_t {
    idle,
    held,        // in the queue here or at the owner, or a grant is on its way
    backingOff,  // refused before; tries again at deadline_
    sent,        // at a replica; no head yet
    answering,   // the head has gone to the client
    tunnelling,  // an upgraded connection: bytes both ways
    answered,    // by us or by the replica; the exchange is about to end
    abandoned,   // the client is gone; a grant is on its way
  };

  void acquire(const Upstream* avoid);
  bool askOwner();  // false: this gateway is it
  void backOff(int times);
  void releaseTicket(Upstream& upstream, Ended how);
  void ticketRefused(Ended how);
  void dispatch(Upstream& upstream);
  void again(const Upstream* avoid);
  bool leaveQueue();  // false: a grant or a move is on its way
  void releaseSlot(Ended how);
  void onDeadline();
  void giveUp(Clock::time_point now);  // nothing more is waited for
  Clock::time_point holdUntil(Clock::time_point now) const;
  void setDeadline(Clock::time_point due);
  void cancelCall();
  std::shared_ptr<FunctionEntry> sharedEntry() const { return route_->entry; }
  bool replayable() const;
  bool mayResend(net::ClientFailure failure) const;
  void forgetReplay();
  void finish();  // back to the pool

  // session_outcome.cc
  bool tooLarge();  // answered: the head is beyond spec.http.limits
  void reject(Limit limit, int status, std::string_view name, std::string_view message);
  void fail(int status, std::string_view error, std::string_view limit, std::string_view message, std::string_view reason = {});
  void failForPods(const PodNews::Trouble& trouble);
  void tellColdStart();
  void record(bool complete);
  void writeAccessLog(bool complete, int status, Clock::time_point now);

  // session_headers.cc
  /// What is sent on: at most all that was received and what we add.
  using Fields = net::HeaderList<net::Headers::kMax + core::RouteMatch::kMaxParameters + 11>;
  void buildRequest(Fields& out, Clock::time_point deadline);
  void buildResponse(const net::ResponseHead& head, Fields& out);
  std::string_view writeTicket();
  void finishCall();  // the request is complete: sends its trailers on
  void appendForwarded(const net::RequestHead& head, bool secure);
  void makeRequestId();

  Worker& worker_;
  State state_ = State::idle;
  net::Exchange* exchange_ = nullptr;
  std::shared_ptr<const Snapshot> snapshot_;  // keeps entry_ and the names in match_, whatever routes come later
  FunctionEntry* entry_ = nullptr;
  const Route* route_ = nullptr;  // in the snapshot
  Upstream* upstream_ = nullptr;  // its slot is ours
  net::ClientCall* call_ = nullptr;
  std::unique_ptr<TicketCall> ticketCall_;  // of a limited function: another gateway gives, or gave, the slot
  core::RouteMatch match_;                  // views into the exchange's head and the snapshot
  bool bodyEnded_ = false, replayLost_ = false, coldStart_ = false, poolFull_ = false, exhausted_ = false, accepted_ = false,
       handlerMayRun_ = false, limited_ = false;
  int attempts_ = 0;
  int asks_ = 0;                    // of owners, in a row
  std::int64_t takeOverAfter_ = 0;  // the last owner's epoch
  int resends_ = 0;                 // of attempts_, after a replica got the request
  int status_ = 0;
  std::int64_t version_ = 0;
  Clock::time_point arrived_{}, dispatched_{}, firstByte_{};
  std::unique_ptr<core::ColdStartDurations> phases_;  // of a cold start, once it is over
  std::string replay_;                                // body sent so far, for another attempt; empty for most requests
  net::Timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::array<char, 36> requestId_{};
  std::string_view requestIdView_;
  std::string forwardedFor_, forwarded_, via_, scratch_, parameterNames_;  // keep their capacity
  std::array<char, 24> deadlineText_{};
  std::array<char, 48> ticketText_{};
};

}  // namespace pilotlight::gateway
