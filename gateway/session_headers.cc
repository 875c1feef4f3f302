// What the gateway adds to and takes from the fields of requests and answers.
#include <charconv>

#include "api/shim_contract.h"
#include "gateway/session.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

bool isOurs(std::string_view name) {
  return net::startsWithIgnoreCase(name, contract::kHeaderPrefix);
}

/// What becomes of a request's field.
enum class Field : std::uint8_t { passes, ends, host, forwarded, forwardedFor, forwardedProto, forwardedHost, requestId, via };

Field requestField(std::string_view name) {
  const auto is = [&](std::string_view other) { return net::equalsIgnoreCase(name, other); };
  switch (name.size()) {
    case 3:
      return is("via") ? Field::via : Field::passes;
    case 4:
      return is("host") ? Field::host : Field::passes;
    case 6:
      return is("expect") ? Field::ends : Field::passes;
    case 9:
      return is("forwarded") ? Field::forwarded : Field::passes;
    case 12:
      if (is(contract::kHeaderRequestId)) return Field::requestId;
      break;
    case 14:
      if (is("content-length")) return Field::ends;
      break;
    case 15:
      if (is("x-forwarded-for")) return Field::forwardedFor;
      break;
    case 16:
      if (is("x-forwarded-host")) return Field::forwardedHost;
      break;
    case 17:
      if (is("x-forwarded-proto")) return Field::forwardedProto;
      break;
    default:
      break;
  }
  return net::isHopByHop(name) || isOurs(name) ? Field::ends : Field::passes;
}

bool passesBack(std::string_view name) {
  if (name.size() == 14 && net::equalsIgnoreCase(name, "content-length")) return false;
  if (name.size() == 12 && net::equalsIgnoreCase(name, contract::kHeaderRequestId)) return false;
  return !net::isHopByHop(name) && !isOurs(name);
}

void appendElement(std::string& list, std::string_view element) {
  list.append(list.empty() ? "" : ", ").append(element);
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

/// RFC 7239. An address or host with a colon is quoted, and an IPv6 address bracketed.
void Session::appendForwarded(const net::RequestHead& head, bool secure) {
  const std::string& ip = exchange_->peer().ip;
  forwarded_.append(forwarded_.empty() ? "for=" : ", for=");
  if (ip.find(':') == std::string::npos)
    forwarded_.append(ip);
  else
    forwarded_.append("\"[").append(ip).append("]\"");
  if (!head.host.empty()) forwarded_.append(";host=\"").append(head.host).append("\"");
  if (secure)
    forwarded_.append(";proto=https");
  else
    forwarded_.append(";proto=http");
}

void Session::buildRequest(Fields& out, Clock::time_point deadline) {
  const net::RequestHead& head = exchange_->head();
  const std::span<const net::Header> all(head.headers.begin(), head.headers.end());
  const bool named = net::connectionNamesAny(all);
  forwardedFor_.clear();
  forwarded_.clear();
  via_.clear();
  bool hasHost = false, hasProto = false, hasForwardedHost = false;
  for (const net::Header& field : head.headers) {
    const Field kind = requestField(field.name);
    switch (kind) {
      case Field::ends:
      case Field::requestId:
        continue;
      case Field::forwarded:
        appendElement(forwarded_, field.value);
        continue;
      case Field::forwardedFor:
        appendElement(forwardedFor_, field.value);
        continue;
      case Field::via:
        appendElement(via_, field.value);
        continue;
      // Connection can't take these away: the replica counts on them.
      case Field::host:  // whatever Connection says of it
        hasHost = true;
        out.push(field);
        continue;
      case Field::forwardedProto:
      case Field::forwardedHost:
      case Field::passes:
        break;
    }
    if (named && net::connectionNames(all, field.name)) continue;
    hasProto = hasProto || kind == Field::forwardedProto;
    hasForwardedHost = hasForwardedHost || kind == Field::forwardedHost;
    out.push(field);
  }
  if (!hasHost) out.push({"Host", head.host.empty() ? std::string_view("localhost") : head.host});
  appendElement(forwardedFor_, exchange_->peer().ip);
  out.push({"X-Forwarded-For", forwardedFor_});
  const bool secure = exchange_->secure();
  if (!hasProto) out.push({"X-Forwarded-Proto", secure ? "https" : "http"});
  if (!hasForwardedHost && !head.host.empty()) out.push({"X-Forwarded-Host", head.host});
  appendForwarded(head, secure);
  out.push({"Forwarded", forwarded_});
  appendElement(via_, head.major == 2 ? "2 pilotlight" : head.minor == 0 ? "1.0 pilotlight" : "1.1 pilotlight");
  out.push({"Via", via_});
  if (!match_.prefix.empty()) out.push({"X-Forwarded-Prefix", match_.prefix});
  out.push({contract::kHeaderRequestId, requestIdView_});
  const auto millis = worker_.epochMillis(deadline);
  const auto written = std::to_chars(deadlineText_.data(), deadlineText_.data() + deadlineText_.size(), millis);
  out.push({contract::kHeaderDeadline, {deadlineText_.data(), static_cast<std::size_t>(written.ptr - deadlineText_.data())}});
  if (ticket) out.push({contract::kHeaderTicket, writeTicket()});
  // Names are joined in one buffer first, so that its growth can't move a view already taken.
  parameterNames_.clear();
  for (std::size_t i = 0; i < match_.parameterCount; ++i)
    parameterNames_.append(contract::kHeaderParamPrefix).append(match_.parameters[i].name);
  std::size_t at = 0;
  for (std::size_t i = 0; i < match_.parameterCount; ++i) {
    const std::size_t size = std::string_view(contract::kHeaderParamPrefix).size() + match_.parameters[i].name.size();
    out.push({std::string_view(parameterNames_).substr(at, size), match_.parameters[i].value});
    at += size;
  }
}

std::string_view Session::writeTicket() {
  char* const end = ticketText_.data() + ticketText_.size();
  char* at = std::to_chars(ticketText_.data(), end, ticket.epoch).ptr;
  *at++ = '.';
  at = std::to_chars(at, end, ticket.number).ptr;
  return {ticketText_.data(), static_cast<std::size_t>(at - ticketText_.data())};
}

void Session::finishCall() {
  net::HeaderList<64> passing;
  for (const net::Header& field : exchange_->trailers())
    if (!isOurs(field.name) && !net::equalsIgnoreCase(field.name, contract::kHeaderRequestId)) passing.push(field);
  call_->finish({passing.begin(), passing.size()});
}

void Session::buildResponse(const net::ResponseHead& head, Fields& out) {
  const std::span<const net::Header> all(head.headers.begin(), head.headers.end());
  const bool named = net::connectionNamesAny(all);
  for (const net::Header& field : head.headers) {
    if (passesBack(field.name) && !(named && net::connectionNames(all, field.name))) out.push(field);
  }
  out.push({contract::kHeaderRequestId, requestIdView_});
}

}  // namespace pilotlight::gateway
