#include "gateway/place_asker.h"

#include <algorithm>
#include <utility>

#include "api/shim_contract.h"
#include "gateway/place_desk.h"
#include "gateway/ticket_desk.h"

namespace pilotlight::gateway {

using std::chrono::milliseconds;

Places::Asker::Asker(Places& places, std::shared_ptr<FunctionEntry> entry)
    : places_(places), entry_(std::move(entry)), pause_(places.options_.queuePause), timer_([this] { onTimer(); }) {}

Places::Asker::~Asker() {
  hangUp();
}

void Places::Asker::changed() {
  dirty_ = true;
  if (state_ == State::told) wait(State::pausing, places_.options_.queuePause);
}

void Places::Asker::wait(State state, milliseconds time) {
  state_ = state;
  places_.loop_.arm(timer_, time);
}

/// More and more seldom, as long as there is no answer.
void Places::Asker::later() {
  wait(State::pausing, pause_);
  pause_ = std::min(pause_ * 2, std::max(pause_, places_.options_.pauses.most));
}

void Places::Asker::onTimer() {
  switch (state_) {
    case State::told:
      return end();
    case State::pausing:
      return ask();
    case State::asking:  // one that is stopped keeps its connections
      places_.owners_.unreachable(gateway_);
      hangUp();
      return later();
    case State::ending:
      hangUp();
      return end();
  }
}

void Places::Asker::ask() {
  if (entry_->limited()) return end();
  dirty_ = false;
  claim_ = entry_->claim();
  if (places_.gateways() < 2) {
    hangUp();
    return answered(core::kAllMayWait);
  }
  const Owners::Choice choice = places_.owners_.choose(*entry_);
  if (!choice.address.ip.empty()) return askThere(choice);
  hangUp();
  if (places_.owners_.resigned()) return later();  // this gateway ends, and no other can be asked
  if (entry_->enter(nullptr)) places_.owners_.takeOver(entry_, choice.owner.epoch);
  answered(entry_->count(nullptr, places_.owners_.self(), claim_));
}

void Places::Asker::askThere(const Owners::Choice& choice) {
  if (gateway_ != choice.owner.gateway) hangUp();
  if (!call_) open(choice);
  call_->write(slot::writeClaim(claim_));
  wait(State::asking, places_.options_.silence);
}

void Places::Asker::open(const Owners::Choice& choice) {
  gateway_ = choice.owner.gateway;
  status_ = 0;
  line_.clear();
  const std::string function = entry_->key().toString(), host = choice.address.toString(), epoch = std::to_string(choice.owner.epoch);
  const std::string& self = places_.owners_.self();
  const std::string signature = places_.keys_.signAsGateway(slot::placesText(function, self, epoch));
  net::HeaderList<5> fields;
  fields.push({"Host", host});
  fields.push({slot::kFunction, function});
  fields.push({slot::kGateway, self});
  fields.push({slot::kEpoch, epoch});
  if (!signature.empty()) fields.push({contract::kHeaderSignature, signature});
  const net::ClientRequest request{.method = "POST",
                                   .target = slot::kQueuePath,
                                   .headers = std::span<const net::Header>(fields.begin(), fields.size()),
                                   .body = net::BodyKind::chunked};
  call_ = places_.pool_->call(places_.pool_->peer(choice.address, net::Protocol::h2c), request, *this);
}

void Places::Asker::answered(const std::optional<core::Waiting>& places) {
  if (!places) return later();
  pause_ = places_.options_.queuePause;
  entry_->settle(claim_, *places);
  if (dirty_) return wait(State::pausing, pause_);
  state_ = State::told;
  const bool nothing = *places == core::Waiting{} || *places == core::kAllMayWait;
  nothing ? places_.loop_.arm(timer_, places_.options_.silence) : timer_.cancel();
}

void Places::Asker::onHead(const net::ResponseHead& head) {
  status_ = head.status;
  if (status_ != 421) return;
  if (const auto owner = slot::ownerTold(head.headers)) entry_->heardOwner(*owner, false);
}

void Places::Asker::onBody(std::string_view part) {
  line_.append(part);
  if (status_ != 200 || state_ != State::asking || !line_.ends_with('\n')) return;
  line_.pop_back();
  const auto places = slot::readPlaces(line_);
  line_.clear();
  answered(places);
}

void Places::Asker::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ == 503 || status_ == 401) places_.owners_.unreachable(gateway_);
  if (state_ == State::ending) return end();
  later();
}

void Places::Asker::onFailure(net::ClientFailure) {
  call_ = nullptr;
  places_.owners_.unreachable(gateway_);
  if (state_ == State::ending) return end();
  later();
}

/// Politely: streams that are reset by the hundred look like an attack.
void Places::Asker::end() {
  if (call_ && state_ != State::ending) {
    call_->finish();
    return wait(State::ending, places_.options_.silence);
  }
  if (dirty_ && !entry_->limited()) return ask();
  places_.forget(*this);
}

void Places::Asker::hangUp() {
  if (call_) std::exchange(call_, nullptr)->cancel();
}

}  // namespace pilotlight::gateway
