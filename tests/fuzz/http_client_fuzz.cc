// A client's connection: whatever a replica answers, and however it comes in parts, the call ends once, with what the parser
// reads from the whole.
#include <poll.h>
#include <unistd.h>

#include <string>

#include "fuzz.h"
#include "net/client.h"

using namespace pilotlight;
using fuzz::require;
using net::Parse;

namespace {

struct Outcome {
  bool complete = false;
  int status = 0;
  std::string body;
  bool operator==(const Outcome&) const = default;
};

struct Call final : net::ClientHandler {
  Outcome outcome;
  int ends = 0;
  void onInterim(const net::ResponseHead& head) override { require(ends == 0 && outcome.status == 0 && head.status < 200); }
  void onHead(const net::ResponseHead& head) override {
    require(ends == 0 && outcome.status == 0);
    outcome.status = head.status;
  }
  void onBody(std::string_view part) override {
    require(ends == 0 && outcome.status != 0);
    outcome.body.append(part);
  }
  void onEnd(std::span<const net::Header>) override {
    ++ends;
    outcome.complete = true;
  }
  void onFailure(net::ClientFailure) override { ++ends; }
};

void readBody(std::string_view data, const net::ResponseHead& head, Outcome& outcome) {
  switch (head.body) {
    case net::BodyKind::none:
      outcome.complete = true;
      return;
    case net::BodyKind::length:
      outcome.body = data.substr(0, head.length);
      outcome.complete = data.size() >= head.length;
      return;
    case net::BodyKind::untilClose:
      outcome.body = data;
      outcome.complete = true;
      return;
    default:
      break;
  }
  net::ChunkedDecoder decoder;
  for (Parse state = Parse::more; state == Parse::more && !data.empty();) {
    const auto fed = decoder.feed(data);
    outcome.body += fed.data;
    data.remove_prefix(fed.consumed);
    state = fed.state;
    outcome.complete = state == Parse::done;
  }
}

/// What the call is to come to when `data` is all that is sent.
Outcome expect(std::string_view data, bool toHead) {
  Outcome outcome;
  static net::ResponseHead head;
  for (;;) {
    if (net::parseResponseHead(data, toHead, head) != Parse::done || head.status == 101) return outcome;
    data.remove_prefix(head.size);
    if (head.status >= 200) break;
  }
  outcome.status = head.status;
  readBody(data, head, outcome);
  return outcome;
}

/// The other end of one connection, on the loop's thread.
class Replica {
 public:
  explicit Replica(net::Loop& loop, int listener) : loop_(loop) {
    pollfd waiter{listener, POLLIN, 0};
    require(poll(&waiter, 1, 5000) == 1);
    fd_ = net::Fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    require(static_cast<bool>(fd_));
    const int one = 1;
    setsockopt(fd_.get(), 6 /* TCP */, 1 /* TCP_NODELAY */, &one, sizeof one);
  }
  ~Replica() {  // a reset leaves no port waiting
    const struct linger reset{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  void send(std::string_view part) {
    // Small parts: they fit into the socket's buffer, unless the client has gone.
    [[maybe_unused]] const ssize_t sent = ::send(fd_.get(), part.data(), part.size(), MSG_NOSIGNAL);
    loop_.turn(std::chrono::milliseconds(0));
  }
  void end() { shutdown(fd_.get(), SHUT_WR); }

 private:
  net::Loop& loop_;
  net::Fd fd_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static net::Loop loop;
  static net::ClientPool pool(loop);
  static const net::Fd listener = *net::listenTcp({"127.0.0.1", 0});
  static const net::Address address = net::localAddress(listener.get());
  const fuzz::Input input(bytes, size);
  const bool toHead = input.control & 1;

  Call call;
  const net::Header headers[] = {{"Host", "a"}};
  loop.perform([&] { pool.call(address, {toHead ? "HEAD" : "GET", "/", headers}, call); });
  Replica replica(loop, listener.get());
  loop.turn(std::chrono::milliseconds(0));
  fuzz::Cuts cuts(input);
  for (std::string_view rest = input.data; !rest.empty();) {
    const std::string_view part = cuts.next(rest);
    replica.send(part);
    rest.remove_prefix(part.size());
  }
  replica.end();
  for (int i = 0; i < 100 && (call.ends == 0 || pool.idle() > 0); ++i) loop.turn(std::chrono::milliseconds(100));
  require(call.ends == 1 && pool.idle() == 0);

  const Outcome expected = expect(input.data, toHead);
  require(call.outcome.complete == expected.complete && call.outcome.status == expected.status);
  require(expected.complete ? call.outcome.body == expected.body : expected.body.starts_with(call.outcome.body));
  return 0;
}
