#include "gateway/place_desk.h"

#include <array>
#include <charconv>

#include "api/shim_contract.h"
#include "gateway/ticket_desk.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace slot {

namespace {

/// As many numbers as a line has to have, between spaces; none is negative.
template <std::size_t Count>
std::optional<std::array<std::int64_t, Count>> readNumbers(std::string_view line) {
  std::array<std::int64_t, Count> numbers{};
  const char* at = line.data();
  const char* const end = at + line.size();
  for (std::size_t i = 0; i < Count; ++i) {
    if (i > 0 && (at == end || *at++ != ' ')) return std::nullopt;
    const auto read = std::from_chars(at, end, numbers[i]);
    if (read.ec != std::errc() || numbers[i] < 0) return std::nullopt;
    at = read.ptr;
  }
  if (at != end) return std::nullopt;
  return numbers;
}

std::string text(const core::Waiting& waiting) {
  return std::to_string(waiting.requests) + " " + std::to_string(waiting.bytes);
}

}  // namespace

std::string placesText(std::string_view function, std::string_view gateway, std::string_view epoch) {
  std::string all = "queue\n";
  return all.append(function).append("\n").append(gateway).append("\n").append(epoch);
}

std::string writeClaim(const core::Claim& claim) {
  return text(claim.accepted) + " " + text(claim.waits) + "\n";
}

std::string writePlaces(const std::optional<core::Waiting>& places) {
  return (places ? text(*places) : std::string(kLater)) + "\n";
}

std::optional<core::Claim> readClaim(std::string_view line) {
  const auto numbers = readNumbers<4>(line);
  if (!numbers) return std::nullopt;
  const auto& [requests, bytes, allRequests, allBytes] = *numbers;
  const core::Claim claim{.accepted = {requests, bytes}, .waits = {allRequests, allBytes}};
  return claim.accepted.fitsInto(claim.waits) ? std::optional(claim) : std::nullopt;
}

std::optional<core::Waiting> readPlaces(std::string_view line) {
  const auto numbers = readNumbers<2>(line);
  if (!numbers) return std::nullopt;
  return core::Waiting{(*numbers)[0], (*numbers)[1]};
}

}  // namespace slot

namespace {

/// What waits in one other gateway.
class PlaceDesk final : public PlaceHolder, public net::ExchangeHandler {
 public:
  PlaceDesk(Worker& worker, net::Exchange& exchange, std::shared_ptr<FunctionEntry> entry)
      : worker_(worker),
        exchange_(&exchange),
        entry_(std::move(entry)),
        gateway_(exchange.head().headers.get(slot::kGateway).value_or("")) {}

  void begin(std::int64_t epoch) {
    if (entry_->enter(this)) worker_.shared().owners.takeOver(entry_, epoch);
    exchange_->sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
  }

  net::Loop& ownerLoop() override { return worker_.loop(); }
  void onMoved() override {
    entered_ = false;
    exchange_ ? close() : delete this;
  }

  void onBody(net::Exchange&, std::string_view part) override {
    if (closed_) return;
    line_.append(part.substr(0, kMostLine - std::min(kMostLine, line_.size())));
    for (std::size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1)) {
      const auto claim = slot::readClaim(std::string_view(line_).substr(0, end));
      if (!claim) return close();
      exchange_->write(slot::writePlaces(entry_->count(this, gateway_, *claim)));
    }
  }
  void onBodyEnd(net::Exchange&) override {
    if (entered_ && entry_->leave(*this)) entered_ = false;
    close();
  }
  void onEnd(net::Exchange&, bool) override {
    exchange_ = nullptr;
    if (entered_ && !entry_->leave(*this)) return;  // onMoved() is on its way: it ends this
    delete this;
  }

 private:
  void close() {
    if (!std::exchange(closed_, true)) exchange_->finish();
  }

  static constexpr std::size_t kMostLine = 256;

  Worker& worker_;
  net::Exchange* exchange_;
  const std::shared_ptr<FunctionEntry> entry_;
  const std::string gateway_;
  std::string line_;
  bool entered_ = true, closed_ = false;
};

}  // namespace

net::ExchangeHandler* openPlaceDesk(Worker& worker, net::Exchange& exchange) {
  const net::Headers& asked = exchange.head().headers;
  const auto field = [&](const char* name) { return asked.get(name).value_or(""); };
  auto entry = functionAsked(worker, exchange, slot::placesText(field(slot::kFunction), field(slot::kGateway), field(slot::kEpoch)), false);
  if (!entry) return nullptr;
  auto* desk = new PlaceDesk(worker, exchange, std::move(entry));  // it ends with the exchange
  desk->begin(numberIn(asked, slot::kEpoch));
  return desk;
}

}  // namespace pilotlight::gateway
