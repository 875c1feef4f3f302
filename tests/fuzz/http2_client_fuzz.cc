// A client's HTTP/2 connection: whatever frames a server sends, each call ends once, in order, and nothing stays.
#include <poll.h>

#include <array>

#include "fuzz.h"
#include "net/client.h"

using namespace pilotlight;
using fuzz::require;

namespace {

struct Call final : net::ClientHandler {
  net::ClientCall* call = nullptr;
  bool pauses = false, cancels = false;  // at the head
  bool over = false, headSeen = false;
  std::size_t body = 0;

  void onInterim(const net::ResponseHead& head) override { require(!over && !headSeen && head.status > 100 && head.status < 200); }
  void onHead(const net::ResponseHead& head) override {
    require(!over && !headSeen && head.status >= 200 && head.status < 1000);
    for (const net::Header& field : head.headers) {
      require(!field.name.empty() && field.name.find_first_of(std::string_view(": \r\n\0", 5)) == std::string_view::npos);
      require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    }
    headSeen = true;
    if (pauses) call->pauseBody();
    if (!cancels) return;
    over = true;
    call->cancel();
  }
  void onBody(std::string_view part) override {
    require(!over && headSeen);
    body += part.size();
  }
  void onEnd(std::span<const net::Header>) override {
    require(!over && headSeen);
    over = true;
  }
  void onFailure(net::ClientFailure) override {
    require(!over);
    over = true;
  }
};

void start(net::ClientPool& pool, const net::Address& to, std::array<Call, 3>& calls, std::uint8_t control) {
  const net::Header headers[] = {{"Host", "a"}};
  calls[0].pauses = control & 1;
  calls[1].cancels = control & 2;
  net::ClientPool::Peer& peer = pool.peer(to, net::Protocol::h2c);
  calls[0].call = pool.call(peer, {"GET", "/", headers}, calls[0]);
  calls[1].call = pool.call(peer, {"HEAD", "/", headers}, calls[1]);
  calls[2].call = pool.call(peer, {"POST", "/", headers, net::BodyKind::chunked, 0}, calls[2]);
  calls[2].call->write("some");
  if (control & 4) calls[2].call->finish(headers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static net::Loop loop;
  static net::ClientPool pool(loop, {.maxStreams = 8});
  static const net::Fd listener = *net::listenTcp({"127.0.0.1", 0});
  static const net::Address address = net::localAddress(listener.get());
  const fuzz::Input input(bytes, size);

  std::array<Call, 3> calls;
  loop.perform([&] { start(pool, address, calls, static_cast<std::uint8_t>(input.control)); });
  pollfd waiter{listener.get(), POLLIN, 0};
  require(poll(&waiter, 1, 5000) == 1);
  net::Fd server(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  loop.turn(std::chrono::milliseconds(0));
  fuzz::Cuts cuts(input);
  for (std::string_view rest = input.data; !rest.empty();) {
    const std::string_view part = cuts.next(rest);
    if (send(server.get(), part.data(), part.size(), MSG_NOSIGNAL) < 0) break;  // the client has gone
    loop.turn(std::chrono::milliseconds(0));
    rest.remove_prefix(part.size());
  }
  shutdown(server.get(), SHUT_WR);
  const auto open = [&] { return !calls[0].over || !calls[1].over || !calls[2].over || pool.idle() > 0; };
  for (int i = 0; i < 100 && open(); ++i) {
    loop.turn(std::chrono::milliseconds(50));
    loop.perform([&] {
      if (!calls[0].over) calls[0].call->resumeBody();
    });
  }
  require(!open());
  loop.perform([&] { pool.forget(address); });  // and what the server said of itself
  const struct linger reset{1, 0};              // leaves no port waiting
  setsockopt(server.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  return 0;
}
