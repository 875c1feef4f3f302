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

bool startsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && net::equalsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

}  // namespace

NativeInvocation::NativeInvocation(net::Loop& loop, ThreadPool& pool, const NativeLibrary& library, const Log& log, Call& call)
    : loop_(loop), pool_(pool), library_(library), log_(log), call_(call) {}

void NativeInvocation::begin() {
  copyHead();
  const net::RequestHead& head = call_.head();
  bool small = head.body == net::BodyKind::none || (head.body == net::BodyKind::length && head.length <= kSmallBody);
  if (!small) submit();  // a small body is waited for first, so that a slow sender holds no thread
}

std::string_view NativeInvocation::keep(std::string_view text) {
  std::size_t at = arena_.size();
  arena_.append(text);  // its room was reserved: views into it stay valid
  return std::string_view(arena_).substr(at);
}

void NativeInvocation::copyHead() {
  const net::RequestHead& head = call_.head();
  arena_.reserve(head.size + call_.requestId().size() + head.target.size());
  method_ = keep(head.method);
  path_ = keep(head.path);
  query_ = keep(head.query);
  requestId_ = keep(call_.requestId());
  deadlineMillis_ = std::chrono::duration_cast<std::chrono::milliseconds>(call_.deadline().time_since_epoch()).count();
  constexpr std::string_view kParam = contract::kHeaderParamPrefix;
  headers_.reserve(head.headers.size());
  for (const net::Header& header : head.headers) {
    if (startsWithIgnoreCase(header.name, kParam)) {
      params_.push_back({keep(header.name.substr(kParam.size())), keep(header.value)});
    } else if (!startsWithIgnoreCase(header.name, contract::kHeaderPrefix)) {
      headers_.push_back({keep(header.name), keep(header.value)});
    }
  }
}

void NativeInvocation::submit() {
  phase_ = Phase::running;
  pool_.submit([this] { runHandler(); });
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
  if (pause) call_.pauseBody();
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
  if (phase_ != Phase::running) call_.released();  // no thread has it
}

// --- on the handler's thread ---

void NativeInvocation::runHandler() {
  NativeRequestHandle request(*this);
  NativeResponseHandle response(*this);
  int result = cancelled_ ? 1 : library_.handle(&request, &response);
  loop_.post([this, result] { onHandlerDone(result); });  // the last touch from this thread
}

std::string_view NativeInvocation::header(std::string_view name) const {
  for (const net::Header& header : headers_) {
    if (net::equalsIgnoreCase(header.name, name)) return header.value;
  }
  return {};
}

std::string_view NativeInvocation::param(std::string_view name) const {
  for (const net::Header& param : params_) {
    if (net::equalsIgnoreCase(param.name, name)) return param.value;
  }
  return {};
}

std::int64_t NativeInvocation::read(char* buffer, std::size_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return cancelled_ || bodyEnded_ || incomingRead_ < incoming_.size(); });
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
    // Ends before onHandlerDone(), which is posted later.
    loop_.post([this] { call_.resumeBody(); });
  }
  return static_cast<std::int64_t>(count);
}

std::string_view NativeInvocation::wholeBody() {
  if (tooLarge_) return {};
  if (whole_.empty()) {
    std::unique_lock lock(mutex_);
    if (bodyEnded_ && incomingRead_ == 0) whole_ = std::exchange(incoming_, {});
  }
  std::string part(whole_.empty() ? kSmallBody : 0, '\0');
  while (!part.empty()) {
    std::int64_t count = read(part.data(), part.size());
    if (count < 0) return {};
    if (count == 0) break;
    if (whole_.size() + static_cast<std::size_t>(count) > kMaxBody) {
      tooLarge_ = true;
      whole_ = {};
      return {};
    }
    whole_.append(part, 0, static_cast<std::size_t>(count));
  }
  return whole_;
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
  if (replace) std::erase_if(responseHeaders_, [&](const auto& header) { return net::equalsIgnoreCase(header.first, name); });
  if (responseHeaders_.size() >= net::Headers::kMax) return false;
  responseHeaders_.emplace_back(name, value);
  return true;
}

bool NativeInvocation::setBody(std::string_view body) {
  if (cancelled_) return false;
  outgoing_.clear();
  return append(body);
}

bool NativeInvocation::append(std::string_view part) {
  if (cancelled_ || outgoing_.size() + part.size() > kMaxBody) return false;
  outgoing_.append(part);
  return true;
}

bool NativeInvocation::flush() {
  std::unique_lock lock(mutex_);
  if (cancelled_) return false;
  flushed_ = flushing_ = true;
  loop_.post([this] { onWritable(); });
  changed_.wait(lock, [this] { return !flushing_; });
  return !cancelled_;
}

// --- on the loop ---

void NativeInvocation::sendResponseHead(net::ResponseBody body) {
  std::vector<net::Header> headers;
  headers.reserve(responseHeaders_.size());
  for (const auto& [name, value] : responseHeaders_) headers.push_back({name, value});
  call_.sendHead(status_, net::reasonPhrase(status_), headers, body);
}

bool NativeInvocation::sendOutgoing() {
  while (sent_ < outgoing_.size()) {
    std::string_view part = std::string_view(outgoing_).substr(sent_, kPart);
    sent_ += part.size();
    if (!call_.write(part)) return false;
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
  if (!call_.headSent()) sendResponseHead({net::BodyKind::chunked, 0});
  if (!sendOutgoing()) return;
  {
    std::lock_guard lock(mutex_);
    flushing_ = false;
  }
  changed_.notify_all();
}

void NativeInvocation::onHandlerDone(int result) {
  phase_ = Phase::answering;
  result_ = result;
  if (call_.cancelled()) return call_.released();
  if (tooLarge_ && !statusSet_ && !flushed_) {
    status_ = 413;
    responseHeaders_.clear();
    outgoing_ = "the body is larger than this function takes\n";
  } else if (result != 0 && !flushed_) {
    return call_.fail(500, "crashed", "the handler failed");
  }
  if (!flushed_) sendResponseHead({net::BodyKind::length, outgoing_.size()});
  endAnswer();
}

void NativeInvocation::endAnswer() {
  if (!sendOutgoing()) return;
  if (call_.cancelled()) return call_.released();
  if (result_ != 0 && flushed_) return call_.cut();
  call_.finish();
}

}  // namespace pilotlight::shim
