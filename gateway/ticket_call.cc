#include "gateway/ticket_call.h"

#include <charconv>

#include "api/shim_contract.h"
#include "gateway/ticket_desk.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

TicketCall::TicketCall(Worker& worker, std::shared_ptr<FunctionEntry> entry, const Owners::Choice& owner, const Request& request,
                       Asker& asker)
    : worker_(worker), entry_(std::move(entry)), gateway_(owner.owner.gateway), asker_(&asker) {
  const std::string function = entry_->key().toString(), host = owner.address.toString();
  const std::string bytes = std::to_string(request.bytes), epoch = std::to_string(owner.owner.epoch);
  net::HeaderList<8> fields;
  fields.push({"Host", host});
  fields.push({slot::kFunction, function});
  fields.push({slot::kBytes, bytes});
  fields.push({slot::kEpoch, epoch});
  if (request.accepted) fields.push({slot::kAccepted, "1"});
  net::ClientPool& pool = worker_.pool();
  const net::ClientRequest ask{.method = "POST",
                               .target = contract::kSlotPath,
                               .headers = std::span<const net::Header>(fields.begin(), fields.size()),
                               .body = net::BodyKind::chunked};
  call_ = pool.call(pool.peer(owner.address, net::Protocol::h2c), ask, *this);
}

TicketCall::~TicketCall() {
  if (call_) call_->cancel();
}

bool TicketCall::end(Ended how) {
  asker_ = nullptr;
  ending_ = true;
  if (!call_) return false;
  call_->write(how == Ended::certainly ? slot::kCertainly : how == Ended::refused ? slot::kRefused : slot::kMaybe);
  call_->finish();
  return true;
}

void TicketCall::onHead(const net::ResponseHead& head) {
  status_ = head.status;
  const auto limit = head.headers.get(slot::kLimit);
  if (status_ == 421) {
    api::RouteOwner owner{std::string(head.headers.get(slot::kOwner).value_or("")), std::string(head.headers.get(slot::kInstance).value_or("")), 0};
    const std::string_view epoch = head.headers.get(slot::kEpoch).value_or("");
    std::from_chars(epoch.data(), epoch.data() + epoch.size(), owner.epoch);
    if (!owner.gateway.empty() && owner.epoch > 0) entry_->heardOwner(owner, false);
  }
  if (status_ == 429 && asker_)
    return std::exchange(asker_, nullptr)->onNoTicket(limit == "queue.bytes" ? Limit::queueBytes : Limit::queueRequests);
}

void TicketCall::onBody(std::string_view part) {
  if (status_ != 200 || !waits()) return;
  line_.append(part);
  if (!line_.ends_with('\n') || !asker_) return;
  const auto grant = slot::readGrant(line_);
  if (!grant) return lost();
  upstream_.uid = grant->uid;
  upstream_.pod = grant->pod;
  upstream_.address = grant->address;
  upstream_.version = grant->version;
  entry_->applyTo(upstream_);
  asker_->onTicket(upstream_, grant->ticket);
}

void TicketCall::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ == 503) worker_.shared().owners.unreachable(gateway_);
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
