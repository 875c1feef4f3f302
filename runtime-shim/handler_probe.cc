#include "runtime-shim/handler_probe.h"

#include <poll.h>

#include <array>
#include <utility>

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;

net::ClientOptions noIdleConnections() {
  net::ClientOptions options;
  options.maxIdlePerAddress = 0;
  return options;
}

// Most handlers listen within a second: there a millisecond counts. Whoever takes longer is not to be busied with us.
milliseconds pauseAfter(net::Clock::duration elapsed) {
  if (elapsed < std::chrono::seconds(1)) return milliseconds(1);
  if (elapsed < std::chrono::seconds(10)) return milliseconds(10);
  return milliseconds(100);
}

bool connected(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  if (::poll(&entry, 1, 0) != 1) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

HandlerProbe::HandlerProbe(net::Loop& loop, std::string path, net::Protocol protocol, milliseconds timeout, std::function<void()> answers)
    : loop_(loop),
      path_(std::move(path)),
      protocol_(protocol),
      timeout_(timeout),
      answers_(std::move(answers)),
      timer_([this] { attempt(); }),
      pool_(loop, noIdleConnections()) {}

void HandlerProbe::start(const net::Address& address) {
  address_ = address;
  started_ = net::Clock::now();
  loop_.arm(timer_, milliseconds(1));
}

void HandlerProbe::stop() {
  timer_.cancel();
  socket_.reset();
  if (call_) std::exchange(call_, nullptr)->cancel();
}

void HandlerProbe::tryAgain() {
  loop_.arm(timer_, pauseAfter(net::Clock::now() - started_));
}

void HandlerProbe::attempt() {
  if (call_) std::exchange(call_, nullptr)->cancel();  // it took too long
  if (path_.empty()) {
    connect();
  } else {
    get();
  }
}

void HandlerProbe::connect() {
  auto target = net::toSocketAddress(address_);
  auto fd = net::connectTcp(*target);
  if (!fd) return tryAgain();
  socket_ = *std::move(fd);
  // Over loopback a connection is there or refused at once; one in between counts as not there yet.
  if (!connected(socket_.get())) return tryAgain();
  socket_.reset();
  answers_();
}

void HandlerProbe::get() {
  status_ = 0;
  std::string host = address_.toString();
  std::array<net::Header, 2> headers = {net::Header{"Host", host}, net::Header{"User-Agent", "pilotlight-shim"}};
  call_ = pool_.call(pool_.peer(address_, protocol_), {"GET", path_, headers, net::BodyKind::none, 0}, *this, true);
  loop_.arm(timer_, timeout_);
}

void HandlerProbe::onEnd(std::span<const net::Header>) {
  call_ = nullptr;
  if (status_ >= 500) return tryAgain();
  timer_.cancel();
  answers_();
}

void HandlerProbe::onFailure(net::ClientFailure) {
  call_ = nullptr;
  tryAgain();
}

}  // namespace pilotlight::shim
