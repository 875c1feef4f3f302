#include "gateway/ticket_call.h"

#include "api/shim_contract.h"
#include "gateway/ticket_desk.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

TicketCall::TicketCall(Worker& worker, std::shared_ptr<FunctionEntry> entry, const Owners::Choice& owner, const Request& request,
                       Asker& asker)
    : worker_(worker), entry_(std::move(entry)), gateway_(owner.owner.gateway), address_(owner.address), asker_(&asker), timer_([this] {
        onTimer();
      }) {
  const std::string function = entry_->key().toString(), host = owner.address.toString();
  const std::string bytes = std::to_string(request.bytes), epoch = std::to_string(owner.owner.epoch);
  net::HeaderList<8> fields;
  fields.push({"Host", host});
  fields.push({slot::kFunction, function});
  fields.push({slot::kBytes, bytes});
  fields.push({slot::kEpoch, epoch});
  if (request.accepted) fields.push({slot::kAccepted, "1"});
  const std::string signature = worker_.shared().keys.signAsGateway(slot::signedText(function, bytes, epoch, request.accepted));
  if (!signature.empty()) fields.push({contract::kHeaderSignature, signature});
  net::ClientPool& pool = worker_.pool();
  const net::ClientRequest ask{.method = "POST",
                               .target = contract::kSlotPath,
                               .headers = std::span<const net::Header>(fields.begin(), fields.size()),
                               .body = net::BodyKind::chunked};
  call_ = pool.call(pool.peer(address_, net::Protocol::h2c), ask, *this);
  worker_.loop().arm(timer_, worker_.shared().options.owners.silence);
}

TicketCall::~TicketCall() {
  if (call_) call_->cancel();
}

void TicketCall::again(Ended how) {
  upstream_.uid.clear();
  line_.clear();
  if (!call_) return worker_.loop().arm(timer_, std::chrono::milliseconds(0));  // the owner has gone since
  call_->write(how == Ended::refused ? slot::kRefused : how == Ended::parked ? slot::kParked : slot::kUnused);
  worker_.loop().arm(timer_, worker_.shared().options.owners.silence);
}

bool TicketCall::end(Ended how) {
  asker_ = nullptr;
  ending_ = true;
  timer_.cancel();
  if (!call_) return false;
  call_->write(how == Ended::maybe ? slot::kMaybe : slot::kCertainly);
  call_->finish();
  return true;
}

/// One that is stopped keeps its connections.
void TicketCall::onTimer() {
  if (!asker_ || !waits()) return;
  if (!call_) return lost();
  Owners& owners = worker_.shared().owners;
  if (!owners.silent(gateway_, address_)) return worker_.loop().arm(timer_, worker_.shared().options.owners.silence);
  owners.unreachable(gateway_);
  lost();
}

void TicketCall::onHead(const net::ResponseHead& head) {
  status_ = head.status;
  const auto limit = head.headers.get(slot::kLimit);
  if (status_ == 421)
    if (const auto owner = slot::ownerTold(head.headers)) entry_->heardOwner(*owner, false);
  if (status_ == 429 && asker_)
    return std::exchange(asker_, nullptr)->onNoTicket(limit == "queue.bytes" ? Limit::queueBytes : Limit::queueRequests);
}

void TicketCall::onBody(std::string_view part) {
  if (status_ != 200 || !waits()) return;
  line_.append(part);
  if (!line_.ends_with('\n') || !asker_) return;  // without an asker it is ending, and says so
  const auto grant = slot::readGrant(line_);
  if (!grant) return lost();
  upstream_.uid = grant->uid;
  upstream_.pod = grant->pod;
  upstream_.address = grant->address;
  upstream_.version = grant->version;
  entry_->applyTo(upstream_);
  timer_.cancel();
  asker_->onTicket(upstream_, grant->ticket);
}

void TicketCall::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ == 503 || status_ == 401) worker_.shared().owners.unreachable(gateway_);
  lost();
}

void TicketCall::onFailure(net::ClientFailure) {
  call_ = nullptr;
  worker_.shared().owners.unreachable(gateway_);
  lost();
}

/// A request that runs goes on: the next owner asks its replica.
void TicketCall::lost() {
  if (ending_) return worker_.forget(*this);
  if (asker_ && waits()) std::exchange(asker_, nullptr)->onTicketLost(status_ == 200);
}

}  // namespace pilotlight::gateway
