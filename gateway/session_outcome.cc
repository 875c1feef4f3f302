// How a request ends: our own answers, what is counted, and the access log's line.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/shim_contract.h"
#include "gateway/session.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

// Of a head, with what is sent twice, so that with what the gateway adds a shim still takes it.
constexpr std::size_t kMostSent = net::Loop::kBlockSize - 2 * 1024;

void appendNumber(std::string& out, std::string_view key, std::uint64_t value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(key).append(text, static_cast<std::size_t>(end - text));
}

/// Milliseconds with three decimals.
void appendMillis(std::string& out, std::string_view key, std::chrono::nanoseconds duration) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count() / 1000));
  appendNumber(out, key, micros / 1000);
  const char decimals[] = {'.', static_cast<char>('0' + micros / 100 % 10), static_cast<char>('0' + micros / 10 % 10),
                           static_cast<char>('0' + micros % 10)};
  out.append(decimals, sizeof decimals);
}

void appendText(std::string& out, std::string_view key, std::string_view value) {
  out.append(key);
  appendJsonString(out, value);
}

}  // namespace

bool Session::tooLarge() {
  const net::RequestHead& head = exchange_->head();
  const api::HttpLimits& limits = route_->limits;
  if (head.headers.size() > static_cast<std::size_t>(limits.headers))
    return fail(431, "RequestHeaderFieldsTooLarge", "http.limits.headers", "the request has more header fields than the function takes"),
           true;
  const std::size_t requestLine = head.method.size() + head.target.size() + std::string_view("  HTTP/1.1\r\n").size();
  if (head.size > requestLine + static_cast<std::size_t>(limits.headerBytes.value))
    return fail(431, "RequestHeaderFieldsTooLarge", "http.limits.headerBytes", "the request's head is larger than the function takes"),
           true;
  if (head.target.size() > static_cast<std::size_t>(limits.url.value))
    return fail(414, "URITooLong", "http.limits.url", "the URL is longer than the function takes"), true;
  std::size_t sentTwice = 0;  // path parameters: in the path, and in a field each
  for (std::size_t i = 0; i < match_.parameterCount; ++i) sentTwice += match_.parameters[i].value.size();
  if (sentTwice > 0 && head.size + sentTwice > kMostSent)
    return fail(414, "URITooLong", "", "the URL's path parameters and the header are too long together"), true;
  if (head.body == net::BodyKind::length && head.length > static_cast<std::uint64_t>(limits.body.value))
    return fail(413, "ContentTooLarge", "http.limits.body", "the request's body is larger than the function takes"), true;
  return false;
}

void Session::reject(Limit limit, int status, std::string_view name, std::string_view message) {
  entry_->counters().rejected[static_cast<std::size_t>(limit)].fetch_add(1, std::memory_order_relaxed);
  fail(status, status == 429 ? "TooManyRequests" : "ServiceUnavailable", name, message);
}

void Session::fail(int status, std::string_view error, std::string_view limit, std::string_view message, std::string_view reason) {
  state_ = State::answered;
  status_ = status;
  setDeadline(Clock::time_point::max());
  const kube::Key& key = entry_->key();
  std::string& body = worker_.scratch();
  body.assign("{\"error\":\"").append(error).append("\",\"function\":\"").append(key.namespace_).append("/").append(key.name);
  body += '"';
  body += ",\"message\":";
  if (reason.empty()) {
    appendJsonString(body, message);
  } else {  // what a handler said, in whatever script
    body += nlohmann::json(message).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + ",\"reason\":";
    appendJsonString(body, reason);
  }
  if (!limit.empty()) body.append(",\"limit\":\"").append(limit).append("\"");
  body += ",\"requestId\":";
  appendJsonString(body, requestIdView_);
  body += "}\n";
  const net::Header extra[] = {{contract::kHeaderRequestId, requestIdView_}, {"Retry-After", worker_.shared().retryAfter}};
  const bool retryable = status == 429 || status == 503 || status == 504;
  exchange_->respond(status, "application/json", body, {extra, retryable ? std::size_t{2} : std::size_t{1}});
}

void Session::failForPods(const PodNews::Trouble& trouble) {
  const std::string_view message =
      worker_.shared().options.tellPods ? std::string_view(trouble.message) : "the function's pods don't start";
  if (trouble.hopeless) return fail(502, "BadGateway", "", message, trouble.reason);
  entry_->counters().rejected[static_cast<std::size_t>(Limit::queueWait)].fetch_add(1, std::memory_order_relaxed);
  fail(504, "GatewayTimeout", "queue.wait", message, trouble.reason);
}

void Session::tellColdStart() {
  core::ColdStartEnds ends = upstream_->ends;
  if (ends[core::ColdStartPhase::registered].value_or(Clock::time_point{}) < arrived_) return;  // it was there, and out of reach
  ends[core::ColdStartPhase::firstByte] = firstByte_;
  phases_ = std::make_unique<core::ColdStartDurations>(core::coldStartDurations(arrived_, ends));
  if (upstream_->coldStartTold.exchange(true, std::memory_order_relaxed)) return;
  for (std::size_t i = 0; i < phases_->size(); ++i)
    if (const auto& duration = (*phases_)[i]) worker_.shared().coldStarts[i].observe(*duration);
}

void Session::record(bool complete) {
  const auto now = worker_.loop().now();
  FunctionCounters& counters = entry_->counters();
  const int status = status_ ? status_ : 499;  // the client left before an answer
  counters.byStatus.add(status);
  counters.duration.observe(now - arrived_);
  const bool dispatchedOnce = dispatched_ != Clock::time_point{};
  if (dispatchedOnce && dispatched_ > arrived_) counters.queueWait.observe(dispatched_ - arrived_);
  if (coldStart_ && firstByte_ != Clock::time_point{}) counters.coldStart.observe(firstByte_ - arrived_);
  const AccessLog mode = worker_.shared().options.accessLog;
  if (mode == AccessLog::off || (mode == AccessLog::errors && status < 500 && status != 429 && complete)) return;
  writeAccessLog(complete, status, now);
}

void Session::writeAccessLog(bool complete, int status, Clock::time_point now) {
  std::string& line = worker_.scratch();
  const net::RequestHead& head = exchange_->head();
  beginLogLine(line, status >= 500 ? "error" : "info", "request");
  appendText(line, ",\"namespace\":", entry_->key().namespace_);
  appendText(line, ",\"function\":", entry_->key().name);
  appendNumber(line, ",\"version\":", static_cast<std::uint64_t>(version_));
  appendText(line, ",\"method\":", head.method);
  appendText(line, ",\"path\":", head.path);  // without the query, which may hold what is nobody's business
  line.append(head.major == 2 ? ",\"protocol\":\"HTTP/2\"" : head.minor == 0 ? ",\"protocol\":\"HTTP/1.0\"" : ",\"protocol\":\"HTTP/1.1\"");
  appendNumber(line, ",\"status\":", static_cast<std::uint64_t>(status));
  line.append(",\"complete\":").append(complete ? "true" : "false");
  appendMillis(line, ",\"duration_ms\":", now - arrived_);
  appendMillis(line, ",\"queue_ms\":", dispatched_ == Clock::time_point{} ? now - arrived_ : dispatched_ - arrived_);
  line.append(",\"cold_start\":").append(coldStart_ ? "true" : "false");
  if (phases_) {
    const char* before = ",\"cold_start_ms\":{\"";
    for (std::size_t i = 0; i < phases_->size(); ++i) {
      if (!(*phases_)[i]) continue;
      line.append(before).append(core::kColdStartPhases[i]);
      appendMillis(line, "\":", *(*phases_)[i]);
      before = ",\"";
    }
    line += '}';
  }
  appendNumber(line, ",\"attempts\":", static_cast<std::uint64_t>(attempts_));
  appendNumber(line, ",\"bytes_in\":", exchange_->bytesReceived());
  appendNumber(line, ",\"bytes_out\":", exchange_->bytesSent());
  appendText(line, ",\"remote\":", exchange_->peer().ip);
  appendText(line, ",\"request_id\":", requestIdView_);
  line += '}';
  worker_.accessLog().write(line);
}

}  // namespace pilotlight::gateway
