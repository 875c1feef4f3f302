#include "gateway/ticket_desk.h"

#include <bit>
#include <charconv>

#include "api/shim_contract.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace slot {

std::string signedText(std::string_view function, std::string_view bytes, std::string_view epoch, bool accepted) {
  std::string text = "slot\n";
  text.append(function).append("\n").append(bytes).append("\n").append(epoch).append(accepted ? "\naccepted" : "\n");
  return text;
}

std::string writeGrant(const Grant& grant) {
  return contract::toString(grant.ticket) + " " + grant.uid + " " + grant.pod + " " + grant.address.toString() + " " +
         std::to_string(grant.version) + "\n";
}

std::optional<Grant> readGrant(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  const auto word = [&] {
    const std::string_view first = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), first.size() + 1));
    return first;
  };
  const auto ticket = contract::parseTicket(word());
  Grant grant{.uid = std::string(word()), .pod = std::string(word())};
  const auto address = net::parseAddress(word());
  const auto read = std::from_chars(line.data(), line.data() + line.size(), grant.version);
  if (!ticket || !address || grant.uid.empty() || read.ec != std::errc() || read.ptr != line.data() + line.size()) return std::nullopt;
  grant.ticket = *ticket;
  grant.address = *address;
  return grant;
}

std::optional<api::RouteOwner> ownerTold(const net::Headers& fields) {
  api::RouteOwner owner{std::string(fields.get(kOwner).value_or("")), std::string(fields.get(kInstance).value_or("")),
                        numberIn(fields, kEpoch)};
  if (owner.gateway.empty() || owner.epoch <= 0) return std::nullopt;
  return owner;
}

}  // namespace slot

std::int64_t numberIn(const net::Headers& fields, const char* name) {
  const std::string_view text = fields.get(name).value_or("");
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

namespace {

/// One request that another gateway holds.
class TicketDesk final : public SlotTaker, public net::ExchangeHandler {
 public:
  TicketDesk(Worker& worker, net::Exchange& exchange, std::shared_ptr<FunctionEntry> entry)
      : worker_(worker), exchange_(&exchange), entry_(std::move(entry)) {
    bytes = numberIn(exchange.head().headers, slot::kBytes);
  }

  void begin(std::int64_t epoch, bool accepted) {
    const auto taken = entry_->take(*this, worker_.loop().now(), nullptr, accepted);
    using Join = core::Admission::Join;
    if (!taken.upstream && taken.join != Join::queued) {
      // Ended by the asker, since streams that are reset by the hundred look like an attack.
      settled_ = true;
      const net::Header limit[] = {{slot::kLimit, taken.join == Join::tooManyBytes ? "queue.bytes" : "queue.requests"}};
      return exchange_->sendHead(429, "", limit, {net::BodyKind::chunked, 0});
    }
    if (taken.takeOver) worker_.shared().owners.takeOver(entry_, epoch);
    exchange_->sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    if (taken.upstream) return give(*taken.upstream);
    worker_.lightOrWake(entry_);
    if (std::has_single_bit(static_cast<unsigned>(taken.queued))) worker_.shared().demand(entry_->key());
  }

  net::Loop& ownerLoop() override { return worker_.loop(); }
  void onGrant(Upstream& upstream) override {
    settled_ = true;
    if (exchange_ && !closed_) return give(upstream);
    release(upstream, Ended::certainly);  // it was never told
    if (!exchange_) delete this;
  }
  void onNoPlace(Limit) override { onMoved(); }  // it has no reservation any more
  void onMoved() override {
    settled_ = true;
    if (!exchange_)
      delete this;
    else
      close();
  }

  void onBody(net::Exchange&, std::string_view part) override {
    said_.append(part.substr(0, kMostSaid - std::min(kMostSaid, said_.size())));
    const bool again = said_ == slot::kRefused || said_ == slot::kParked || said_ == slot::kUnused;
    if (!upstream_ || closed_ || !again) return;
    release(*std::exchange(upstream_, nullptr), said_ == slot::kRefused  ? Ended::refused
                                                : said_ == slot::kParked ? Ended::parked
                                                                         : Ended::certainly);
    said_.clear();
    settled_ = false;
    const auto taken = entry_->take(*this, worker_.loop().now(), nullptr, true);
    if (taken.takeOver) worker_.shared().owners.takeOver(entry_, 0);
    taken.upstream ? give(*taken.upstream) : worker_.lightOrWake(entry_);
  }
  void onBodyEnd(net::Exchange&) override {
    if (upstream_)
      release(*std::exchange(upstream_, nullptr), said_ == slot::kCertainly ? Ended::certainly : Ended::maybe);
    else if (!settled_)
      settled_ = entry_->leave(*this, worker_.loop().now());
    close();
  }
  void onEnd(net::Exchange&, bool) override {
    exchange_ = nullptr;
    if (upstream_) release(*upstream_, Ended::maybe);
    // A grant or a move may be on its way: it ends this.
    else if (!settled_ && !entry_->leave(*this, worker_.loop().now()))
      return;
    delete this;
  }

 private:
  void close() {
    if (!std::exchange(closed_, true)) exchange_->finish();
  }
  void give(Upstream& upstream) {
    settled_ = true;
    upstream_ = &upstream;
    exchange_->write(slot::writeGrant({ticket, upstream.uid, upstream.pod, upstream.address, upstream.version}));
  }
  void release(Upstream& upstream, Ended how) {
    if (entry_->release(upstream, ticket, how, worker_.loop().now())) worker_.shared().owners.look(entry_);
  }

  static constexpr std::size_t kMostSaid = 16;

  Worker& worker_;
  net::Exchange* exchange_;
  const std::shared_ptr<FunctionEntry> entry_;
  Upstream* upstream_ = nullptr;  // its slot is the asker's
  bool settled_ = false;          // no longer in the queue, and told so
  bool closed_ = false;           // nothing is said any more
  std::string said_;
};

}  // namespace

std::shared_ptr<FunctionEntry> functionAsked(Worker& worker, net::Exchange& exchange, const std::string& signed_, bool limited) {
  const auto refuse = [&](int status, std::span<const net::Header> fields = {}) {
    exchange.respond(status, "text/plain", "", fields);
    return nullptr;
  };
  Owners& owners = worker.shared().owners;
  if (owners.resigned()) return refuse(503);
  const net::Headers& asked = exchange.head().headers;
  if (!worker.shared().keys.signedByGateway(signed_, asked.get(contract::kHeaderSignature).value_or(""))) return refuse(401);
  const std::string_view name = asked.get(slot::kFunction).value_or("");
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return refuse(400);
  auto entry = worker.shared().registry.find({std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
  if (!entry || entry->limited() != limited) return refuse(404);
  const auto known = entry->owner();
  if (entry->hold() == FunctionEntry::Hold::none && !core::takesOver(known, owners.self(), numberIn(asked, slot::kEpoch))) {
    const std::string number = std::to_string(known->epoch);
    const net::Header fields[] = {{slot::kOwner, known->gateway}, {slot::kInstance, known->instance}, {slot::kEpoch, number}};
    return refuse(421, fields);
  }
  return entry;
}

net::ExchangeHandler* openTicketDesk(Worker& worker, net::Exchange& exchange) {
  const net::Headers& asked = exchange.head().headers;
  const auto field = [&](const char* name) { return asked.get(name).value_or(""); };
  const bool accepted = asked.get(slot::kAccepted).has_value();
  auto entry =
      functionAsked(worker, exchange, slot::signedText(field(slot::kFunction), field(slot::kBytes), field(slot::kEpoch), accepted), true);
  if (!entry) return nullptr;
  auto* desk = new TicketDesk(worker, exchange, std::move(entry));  // it ends with the exchange
  desk->begin(numberIn(asked, slot::kEpoch), accepted);
  return desk;
}

}  // namespace pilotlight::gateway
