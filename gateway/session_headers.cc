// What the gateway adds to and takes from the fields of requests and answers, and the access log's line.
#include <charconv>

#include "api/shim_contract.h"
#include "gateway/session.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

bool isOurs(std::string_view name) {
  return net::startsWithIgnoreCase(name, contract::kHeaderPrefix);
}

/// Fields that Connection names end at this hop as well (RFC 9110 7.6.1).
bool listed(std::string_view connection, std::string_view name) {
  while (!connection.empty()) {
    const std::size_t comma = connection.find(',');
    std::string_view token = connection.substr(0, comma);
    while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) token.remove_prefix(1);
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) token.remove_suffix(1);
    if (net::equalsIgnoreCase(token, name)) return true;
    if (comma == std::string_view::npos) return false;
    connection.remove_prefix(comma + 1);
  }
  return false;
}

bool isConnection(std::string_view name) {
  return name.size() == 10 && net::equalsIgnoreCase(name, "connection");
}

/// Whether some Connection field names more than close or keep-alive, so that each field must be looked up.
bool namesFields(const net::Headers& headers) {
  for (const net::Header& field : headers)
    if (isConnection(field.name) && !net::equalsIgnoreCase(field.value, "close") && !net::equalsIgnoreCase(field.value, "keep-alive"))
      return true;
  return false;
}

bool endsHere(const net::Headers& headers, std::string_view name) {
  for (const net::Header& field : headers)
    if (isConnection(field.name) && listed(field.value, name)) return true;
  return false;
}

/// Fields that another part of the message carries or that we write ourselves.
bool isReframed(std::string_view name) {
  switch (name.size()) {
    case 6:
      return net::equalsIgnoreCase(name, "expect");
    case 12:
      return net::equalsIgnoreCase(name, contract::kHeaderRequestId);
    case 14:
      return net::equalsIgnoreCase(name, "content-length");
    case 15:
      return net::equalsIgnoreCase(name, "x-forwarded-for");
    default:
      return false;
  }
}

bool plausibleId(std::string_view id) {
  if (id.empty() || id.size() > 36) return false;
  for (char c : id)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.')) return false;
  return true;
}

}  // namespace

void Session::makeRequestId() {
  if (const auto given = exchange_->head().headers.get(contract::kHeaderRequestId); given && plausibleId(*given)) {
    std::copy(given->begin(), given->end(), requestId_.begin());
    requestIdView_ = {requestId_.data(), given->size()};
    return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::uint64_t high = worker_.idPrefix(), low = worker_.nextId();
  for (int i = 15; i >= 0; --i, high >>= 4) requestId_[static_cast<std::size_t>(i)] = kHex[high & 15];
  for (int i = 31; i >= 16; --i, low >>= 4) requestId_[static_cast<std::size_t>(i)] = kHex[low & 15];
  requestIdView_ = {requestId_.data(), 32};
}

std::size_t Session::buildRequest(std::span<net::Header> out, Clock::time_point deadline) {
  const net::RequestHead& head = exchange_->head();
  std::size_t count = 0;
  const bool named = namesFields(head.headers);
  forwardedFor_.clear();
  bool hasHost = false, hasProto = false, hasForwardedHost = false;
  for (const net::Header& field : head.headers) {
    if (isReframed(field.name)) {
      if (field.name.size() == 15) forwardedFor_.append(forwardedFor_.empty() ? "" : ", ").append(field.value);
      continue;
    }
    if (net::isHopByHop(field.name) || isOurs(field.name) || (named && endsHere(head.headers, field.name))) continue;
    if (field.name.size() == 4 && net::equalsIgnoreCase(field.name, "host")) hasHost = true;
    if (field.name.size() == 17 && net::equalsIgnoreCase(field.name, "x-forwarded-proto")) hasProto = true;
    if (field.name.size() == 16 && net::equalsIgnoreCase(field.name, "x-forwarded-host")) hasForwardedHost = true;
    out[count++] = field;
  }
  if (!hasHost) out[count++] = {"Host", head.host.empty() ? std::string_view("localhost") : head.host};
  forwardedFor_.append(forwardedFor_.empty() ? "" : ", ").append(exchange_->peer().ip);
  out[count++] = {"X-Forwarded-For", forwardedFor_};
  if (!hasProto) out[count++] = {"X-Forwarded-Proto", "http"};
  if (!hasForwardedHost && !head.host.empty()) out[count++] = {"X-Forwarded-Host", head.host};
  if (!match_.prefix.empty()) out[count++] = {"X-Forwarded-Prefix", match_.prefix};
  out[count++] = {contract::kHeaderRequestId, requestIdView_};
  const auto epoch = std::chrono::system_clock::now() + (deadline - Clock::now());
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(epoch.time_since_epoch()).count();
  const auto written = std::to_chars(deadlineText_.data(), deadlineText_.data() + deadlineText_.size(), millis);
  out[count++] = {contract::kHeaderDeadline, {deadlineText_.data(), static_cast<std::size_t>(written.ptr - deadlineText_.data())}};
  // Names are joined in one buffer first, so that its growth can't move a view already taken.
  parameterNames_.clear();
  for (std::size_t i = 0; i < match_.parameterCount; ++i)
    parameterNames_.append(contract::kHeaderParamPrefix).append(match_.parameters[i].name);
  std::size_t at = 0;
  for (std::size_t i = 0; i < match_.parameterCount; ++i) {
    const std::size_t size = std::string_view(contract::kHeaderParamPrefix).size() + match_.parameters[i].name.size();
    out[count++] = {std::string_view(parameterNames_).substr(at, size), match_.parameters[i].value};
    at += size;
  }
  return count;
}

std::size_t Session::buildResponse(const net::ResponseHead& head, std::span<net::Header> out) {
  std::size_t count = 0;
  const bool named = namesFields(head.headers);
  for (const net::Header& field : head.headers) {
    if (isReframed(field.name) || net::isHopByHop(field.name) || isOurs(field.name) || (named && endsHere(head.headers, field.name)))
      continue;
    out[count++] = field;
  }
  out[count++] = {contract::kHeaderRequestId, requestIdView_};
  return count;
}

void Session::writeAccessLog(bool complete, int status, Clock::time_point now) {
  std::string& line = worker_.scratch();
  const auto millis = [](Clock::duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(duration).count() / 1000.0);
  };
  const net::RequestHead& head = exchange_->head();
  beginLogLine(line, status >= 500 ? "error" : "info", "request");
  line += ",\"namespace\":";
  appendJsonString(line, entry_->key().namespace_);
  line += ",\"function\":";
  appendJsonString(line, entry_->key().name);
  line.append(",\"version\":").append(std::to_string(version_)).append(",\"method\":");
  appendJsonString(line, head.method);
  line += ",\"path\":";  // without the query, which may hold what is nobody's business
  appendJsonString(line, head.path);
  line.append(",\"status\":").append(std::to_string(status)).append(",\"complete\":").append(complete ? "true" : "false");
  line.append(",\"duration_ms\":").append(millis(now - arrived_));
  line.append(",\"queue_ms\":").append(millis(dispatched_ == Clock::time_point{} ? now - arrived_ : dispatched_ - arrived_));
  line.append(",\"cold_start\":").append(coldStart_ ? "true" : "false").append(",\"attempts\":").append(std::to_string(attempts_));
  line.append(",\"bytes_in\":")
      .append(std::to_string(exchange_->bytesReceived()))
      .append(",\"bytes_out\":")
      .append(std::to_string(exchange_->bytesSent()));
  line += ",\"remote\":";
  appendJsonString(line, exchange_->peer().ip);
  line += ",\"request_id\":";
  appendJsonString(line, requestIdView_);
  line += '}';
  worker_.shared().accessLog.write(line);
}

}  // namespace pilotlight::gateway
