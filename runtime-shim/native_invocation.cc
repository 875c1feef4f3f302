#include "runtime-shim/native_invocation.h"

#include <algorithm>
#include <utility>

#include "api/shim_contract.h"
#include "runtime-shim/native_api.h"

namespace pilotlight::shim {
namespace {

constexpr std::size_t kIncomingHigh = 256 * 1024, kIncomingLow = 64 * 1024;
constexpr std::size_t kSmallBody = 64 * 1024;
constexpr std::size_t kPart = 64 * 1024;

// Room for small bodies is used again; for large ones it goes back.
void forget(std::string& text) {
  constexpr std::size_t kKept = 4096;
  if (text.capacity() > kKept) text = {};
  text.clear();
}

}  // namespace

NativeInvocation::NativeInvocation(LeaderFollowers& threads, const NativeLibrary& library, std::size_t maxBody, const Log& log)
    : threads_(threads), library_(library), maxBody_(maxBody), log_(log) {}

void NativeInvocation::open(Call& call) {
  call_ = &call;
  phase_ = Phase::receiving;
  cancelled_ = bodyEnded_ = bodyPaused_ = flushing_ = tooLarge_ = statusSet_ = flushed_ = false;
  incomingRead_ = sent_ = 0;
  status_ = 200;
}

void NativeInvocation::close() {
  headers_.clear();
  params_.clear();
  responseHeaders_.clear();
  for (std::string* text : {&line_, &incoming_, &whole_, &outgoing_}) forget(*text);
}

void NativeInvocation::begin() {
  copyHead();
  const net::RequestHead& head = call_->head();
  bool small = head.body == net::BodyKind::none || (head.body == net::BodyKind::length && head.length <= kSmallBody);
  if (!small) submit();  // a small body is waited for first, so that a slow sender holds no thread
}

std::string_view NativeInvocation::keep(std::string_view text) {
  std::size_t at = line_.size();
  line_.append(text);  // its room was reserved: views into it stay valid
  return std::string_view(line_).substr(at);
}

void NativeInvocation::copyHead() {
  const net::RequestHead& head = call_->head();
  line_.reserve(head.method.size() + head.path.size() + head.query.size() + call_->requestId().size());
  method_ = keep(head.method);
  path_ = keep(head.path);
  query_ = keep(head.query);
  requestId_ = keep(call_->requestId());
  deadlineMillis_ = std::chrono::duration_cast<std::chrono::milliseconds>(call_->deadline().time_since_epoch()).count();
  constexpr std::string_view kParam = contract::kHeaderParamPrefix;
  for (const net::Header& header : head.headers) {
    if (!net::startsWithIgnoreCase(header.name, contract::kHeaderPrefix)) {
      headers_.add(header.name, header.value);
    } else if (net::startsWithIgnoreCase(header.name, kParam)) {
      params_.add(header.name.substr(kParam.size()), header.value);
    }
  }
}

void NativeInvocation::submit() {
  phase_ = Phase::running;
  threads_.submit(*this);
}

void NativeInvocation::onBody(std::string_view part) {
  if (phase_ == Phase::answering) return;
  bool pause;
  {
    std::lock_guard lock(mutex_);
    incoming_.append(part);
    pause = incoming_.size() - incomingRead_ >= kIncomingHigh && phase_ == Phase::running;
    bodyPaused_ = bodyPaused_ || pause;
  }
  changed_.notify_all();
  if (pause) call_->pauseBody();
}

void NativeInvocation::onBodyEnd() {
  {
    std::lock_guard lock(mutex_);
    bodyEnded_ = true;
  }
  changed_.notify_all();
  if (phase_ == Phase::receiving) submit();
}

void NativeInvocation::cancel() {
  {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    flushing_ = false;
  }
  changed_.notify_all();
  if (phase_ != Phase::running) call_->released();  // no thread has it
}

// --- on the handler's thread ---

void NativeInvocation::run() {
  NativeRequestHandle request(*this);
  NativeResponseHandle response(*this);
  result_ = cancelled_ ? 1 : library_.handle(&request, &response);
}

template <class Condition>
void NativeInvocation::wait(std::unique_lock<std::mutex>& lock, Condition condition) {
  if (condition()) return;
  lock.unlock();
  threads_.aboutToWait();
  lock.lock();
  changed_.wait(lock, condition);
}

std::int64_t NativeInvocation::read(char* buffer, std::size_t size) {
  std::unique_lock lock(mutex_);
  wait(lock, [this] { return cancelled_ || bodyEnded_ || incomingRead_ < incoming_.size(); });
  if (cancelled_) return -1;
  std::size_t count = std::min(size, incoming_.size() - incomingRead_);
  std::copy_n(incoming_.data() + incomingRead_, count, buffer);
  incomingRead_ += count;
  if (incomingRead_ >= kIncomingLow || incomingRead_ == incoming_.size()) {
    incoming_.erase(0, incomingRead_);
    incomingRead_ = 0;
  }
  if (bodyPaused_ && incoming_.size() - incomingRead_ <= kIncomingLow) {
    bodyPaused_ = false;
    lock.unlock();                                     // resuming may bring the next part at once
    threads_.onLoop([this] { call_->resumeBody(); });  // comes before done()
  }
  return static_cast<std::int64_t>(count);
}

std::string_view NativeInvocation::wholeBody() {
  if (tooLarge_) return {};
  if (whole_.empty() && !readWhole()) {
    whole_ = {};
    return {};
  }
  return whole_;
}

// False: it can't be had.
bool NativeInvocation::readWhole() {
  {
    std::lock_guard lock(mutex_);
    if (bodyEnded_ && incomingRead_ == 0) whole_.swap(incoming_);
    if (bodyEnded_ && incoming_.empty()) {
      tooLarge_ = whole_.size() > maxBody_;
      return !tooLarge_;
    }
  }
  for (;;) {
    const std::size_t size = whole_.size();
    whole_.resize(size + kPart);
    const std::int64_t count = read(whole_.data() + size, kPart);
    if (count < 0) return false;
    whole_.resize(size + static_cast<std::size_t>(count));
    if (count == 0) return true;
    tooLarge_ = whole_.size() > maxBody_;
    if (tooLarge_) return false;
  }
}

void NativeInvocation::log(LogLevel level, std::string_view message) const {
  log_.write(level, message, {{"request_id", requestId_}});
}

bool NativeInvocation::setStatus(int status) {
  if (status < 200 || status > 599 || flushed_) return false;
  status_ = status;
  statusSet_ = true;
  return true;
}

bool NativeInvocation::addHeader(std::string_view name, std::string_view value, bool replace) {
  auto isTokenChar = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  auto isControl = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (flushed_ || name.empty() || !std::ranges::all_of(name, isTokenChar) || std::ranges::any_of(value, isControl)) return false;
  if (replace) responseHeaders_.remove(name);
  if (responseHeaders_.size() >= net::Headers::kMax) return false;
  responseHeaders_.add(name, value);
  return true;
}

bool NativeInvocation::setBody(std::string_view body) {
  if (cancelled_) return false;
  outgoing_.clear();
  return append(body);
}

bool NativeInvocation::append(std::string_view part) {
  if (cancelled_ || outgoing_.size() + part.size() > maxBody_) return false;
  outgoing_.append(part);
  return true;
}

bool NativeInvocation::flush() {
  {
    std::lock_guard lock(mutex_);
    if (cancelled_) return false;
    flushed_ = flushing_ = true;
  }
  threads_.onLoop([this] { onWritable(); });
  std::unique_lock lock(mutex_);
  wait(lock, [this] { return !flushing_; });
  return !cancelled_;
}

// --- on the loop ---

void NativeInvocation::sendResponseHead(net::ResponseBody body) {
  call_->sendHead(status_, net::reasonPhrase(status_), responseHeaders_.all(), body);
}

bool NativeInvocation::sendOutgoing() {
  while (sent_ < outgoing_.size()) {
    std::string_view part = std::string_view(outgoing_).substr(sent_, kPart);
    sent_ += part.size();
    if (!call_->write(part)) return false;
  }
  sent_ = 0;
  outgoing_.clear();
  return true;
}

void NativeInvocation::onWritable() {
  if (phase_ == Phase::answering) return endAnswer();
  {
    std::lock_guard lock(mutex_);
    if (!flushing_) return;
  }
  if (!call_->headSent()) sendResponseHead({net::BodyKind::chunked, 0});
  if (!sendOutgoing()) return;
  {
    std::lock_guard lock(mutex_);
    flushing_ = false;
  }
  changed_.notify_all();
}

void NativeInvocation::done() {
  phase_ = Phase::answering;
  if (call_->cancelled()) return call_->released();
  if (tooLarge_ && !statusSet_ && !flushed_) {
    status_ = 413;
    responseHeaders_.clear();
    outgoing_ = "the body is larger than this function takes\n";
  } else if (result_ != 0 && !flushed_) {
    return call_->fail(500, "crashed", "the handler failed");
  }
  if (!flushed_) sendResponseHead({net::BodyKind::length, outgoing_.size()});
  endAnswer();
}

void NativeInvocation::endAnswer() {
  if (!sendOutgoing()) return;
  if (call_->cancelled()) return call_->released();
  if (result_ != 0 && flushed_) return call_->cut();
  call_->finish();
}

}  // namespace pilotlight::shim
