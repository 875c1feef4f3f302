// A whole request as the parser and the decoder of chunks read it, without a socket.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "net/http1.h"

namespace pilotlight::net::test {

/// What the parser says about a request, its body included.
struct Verdict {
  Parse state = Parse::more;
  int status = 0;
  std::string seen;
  std::size_t size = 0;  ///< bytes of the request
  bool keepAlive = true;
  bool operator==(const Verdict&) const = default;
};

inline void readBody(std::string_view data, std::size_t step, const RequestHead& head, Verdict& verdict) {
  if (head.body == BodyKind::length) {
    verdict.state = data.size() < head.length ? Parse::more : Parse::done;
    verdict.seen += data.substr(0, head.length);
    verdict.size += head.length;
    return;
  }
  ChunkedDecoder decoder;
  verdict.state = head.body == BodyKind::none ? Parse::done : Parse::more;
  while (verdict.state == Parse::more && !data.empty()) {
    const ChunkedDecoder::Step fed = decoder.feed(data.substr(0, step));
    verdict.seen += fed.data;
    verdict.size += fed.consumed;
    verdict.state = fed.state;
    data.remove_prefix(fed.consumed);
  }
  if (verdict.state == Parse::bad) verdict = {Parse::bad, 400, "", 0, false};
}

/// Reads a request that comes `step` bytes at a time.
inline Verdict readRequest(std::string_view data, std::size_t step, const HeadLimits& limits = {}) {
  RequestHead head;
  Verdict verdict;
  for (std::size_t have = 0; verdict.state == Parse::more && have < data.size();) {
    const std::size_t seen = have;
    have = std::min(data.size(), have + step);
    verdict.state = parseRequestHead(data.substr(0, have), limits, head, verdict.status, seen);
  }
  if (verdict.state == Parse::more) verdict.status = 0;
  if (verdict.state != Parse::done) return verdict;
  verdict = {Parse::done, 0, std::string(head.method) + " " + std::string(head.target) + " ", head.size, head.keepAlive};
  readBody(data.substr(head.size), step, head, verdict);
  return verdict;
}

}  // namespace pilotlight::net::test
