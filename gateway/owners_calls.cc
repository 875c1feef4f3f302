#include "gateway/owners_calls.h"

#include <algorithm>

#include "api/shim_contract.h"

namespace pilotlight::gateway {

using std::chrono::milliseconds;

namespace {
constexpr std::size_t kMostText = 1 << 20;  // of an answer
/// By which a replica can be ahead of the API: owners come one by one. What is beyond was told by somebody who is no gateway, and an
/// owner that went there could not be followed by another.
constexpr std::int64_t kMostAhead = std::int64_t{1} << 32;
}  // namespace

Owners::Asking::Asking(Owners& owners, std::shared_ptr<FunctionEntry> entry, FunctionEntry::Question question)
    : owners_(owners), entry_(std::move(entry)), question_(std::move(question)), timer_([this] { end(unknown(false)); }) {
  const std::string host = question_.address.toString(), ticket = contract::toString(question_.lowest);
  const net::Header headers[] = {{"Host", host}, {contract::kHeaderTicket, ticket}};
  const std::string_view method = question_.lift ? "DELETE" : "POST";
  call_ = owners_.pool_->call(question_.address, {.method = method, .target = contract::kTicketsPath, .headers = headers}, *this, true);
  call_->finish();
  owners_.loop_.arm(timer_, owners_.options_.answerTimeout);
}

Owners::Asking::~Asking() {
  if (call_) call_->cancel();
}

void Owners::Asking::onHead(const net::ResponseHead& head) {
  status_ = head.status;
  const auto lowest = head.headers.get(contract::kHeaderTicket);
  knows_ = lowest.has_value();
  if (const auto ticket = contract::parseTicket(lowest.value_or(""))) epoch_ = ticket->epoch;
  const auto refused = head.headers.get(contract::kHeaderRefused);
  says_ = !refused ? Says::takes : *refused == "parked" ? Says::parked : Says::refuses;
}

void Owners::Asking::onBody(std::string_view part) {
  if (text_.size() + part.size() <= kMostText) text_.append(part);
}

void Owners::Asking::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ == 409 && epoch_ - question_.lowest.epoch > kMostAhead) {
    owners_.log_("a replica was told of an owner that no gateway can be, and gets no requests: delete its pod", entry_->key(),
                 question_.address.toString() + ": epoch " + std::to_string(epoch_));
    return end(unknown(false));
  }
  if (status_ == 409) {  // a later owner was here, or one of a function of the same name that is gone
    auto again = question_;
    again.lowest.epoch = std::max(again.lowest.epoch, epoch_);
    owners_.add(entry_->key(), {entry_, epoch_, {std::move(again)}});
    return owners_.forget(*this);
  }
  // A shim that is older than tickets takes everything: its requests are counted here alone.
  if (!knows_) return end(entry_->answered(question_, {}, Says::takes, owners_.options_.pauses));
  const auto running = core::parseRunningTickets(text_);
  end(status_ == 200 && running ? entry_->answered(question_, *running, says_, owners_.options_.pauses) : unknown(false));
}

void Owners::Asking::onFailure(net::ClientFailure failure) {
  call_ = nullptr;
  end(unknown(failure == net::ClientFailure::refused));
}

milliseconds Owners::Asking::unknown(bool nobodyThere) {
  return entry_->unanswered(question_, nobodyThere, owners_.options_.pauses);
}

void Owners::Asking::end(milliseconds again) {
  if (again.count() > 0) owners_.lookLater(entry_, again);
  if (says_ == Says::parked) owners_.wake_(entry_);
  owners_.forget(*this);
}

Owners::Ping::Ping(Owners& owners, std::string gateway, const net::Address& address)
    : owners_(owners), gateway_(std::move(gateway)), timer_([this] { end(false); }) {
  const std::string host = address.toString();
  const net::Header headers[] = {{"Host", host}};
  call_ = owners_.pool_->call(address, {.method = "GET", .target = "/_pilotlight/healthz", .headers = headers}, *this, true);
  call_->finish();
  owners_.loop_.arm(timer_, owners_.options_.silence * 2);
}

Owners::Ping::~Ping() {
  if (call_) call_->cancel();
}

void Owners::Ping::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  end(true);
}

void Owners::Ping::onFailure(net::ClientFailure) {
  call_ = nullptr;
  end(false);
}

void Owners::Ping::end(bool answered) {
  timer_.cancel();
  if (!answered) owners_.unreachable(gateway_);
  {
    std::lock_guard lock(owners_.mutex_);
    owners_.pinged_.erase(gateway_);
  }
  const auto found = std::ranges::find(owners_.pings_, this, [](const auto& each) { return each.get(); });
  owners_.loop_.destroyLater(std::move(*found));
  owners_.pings_.erase(found);
}

// --- what replicas run ---

void Owners::look(std::shared_ptr<FunctionEntry> entry) {
  std::vector<FunctionEntry::Question> now, first;
  for (auto& question : entry->questions()) (question.first || question.lift ? first : now).push_back(std::move(question));
  const kube::Key key = entry->key();
  if (!first.empty()) add(key, {entry, 0, std::move(first)});
  if (!now.empty()) ask(std::move(entry), std::move(now));
}

void Owners::ask(std::shared_ptr<FunctionEntry> entry, std::vector<FunctionEntry::Question> questions) {
  if (questions.empty()) return;
  loop_.post([this, entry = std::move(entry), questions = std::move(questions)] {
    if (!pool_) return;  // stopped
    for (const auto& question : questions) askings_.push_back(std::make_unique<Asking>(*this, entry, question));
  });
}

void Owners::lookLater(std::shared_ptr<FunctionEntry> entry, milliseconds pause) {
  later_.emplace(Clock::now() + pause, std::move(entry));
  loop_.arm(timer_, later_.begin()->first);
}

void Owners::lookDue() {
  const auto now = loop_.now();
  while (!later_.empty() && later_.begin()->first <= now) {
    look(std::move(later_.begin()->second));
    later_.erase(later_.begin());
  }
  if (!later_.empty()) loop_.arm(timer_, later_.begin()->first);
}

void Owners::forget(Asking& asking) {
  asking.timer_.cancel();  // it lives to the end of the turn
  const auto found = std::ranges::find(askings_, &asking, &std::unique_ptr<Asking>::get);
  loop_.destroyLater(std::move(*found));
  askings_.erase(found);
}

}  // namespace pilotlight::gateway
