#include "tests/bench/load/backend.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace pilotlight::bench {

namespace {

std::chrono::milliseconds delayOf(std::string_view startLine) {
  constexpr std::string_view kName = "?delay=";
  const std::size_t at = startLine.find(kName);
  int millis = 0;
  if (at != std::string_view::npos) std::from_chars(startLine.data() + at + kName.size(), startLine.data() + startLine.size(), millis);
  return std::chrono::milliseconds(millis);
}

std::string okHead() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
}

}  // namespace

std::expected<BackendAddress, std::string> parseBackendAddress(std::string_view text) {
  const std::size_t slash = text.find('/');
  auto address = net::parseAddress(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  BackendAddress parsed{*std::move(address), 0};
  if (slash != std::string_view::npos) std::from_chars(text.data() + slash + 1, text.data() + text.size(), parsed.limit);
  return parsed;
}

class Backend::Connection final : public Watcher {
 public:
  explicit Connection(Backend& backend) : backend_(backend) {}

  void open(net::Fd fd, Listener& listener) {
    fd_ = std::move(fd);
    listener_ = &listener;
    state_ = State::reading;
    reader_.reset();
    backend_.poller_.add(fd_.get(), EPOLLIN, *this);
  }
  void onEvents(std::uint32_t events) override;
  void answer();

 private:
  enum class State : std::uint8_t { closed, reading, delayed, sending };

  void read();
  void onRequest();
  void respond(const Message& answer);
  void send();
  void close();

  Backend& backend_;
  net::Fd fd_;
  Listener* listener_ = nullptr;
  State state_ = State::closed;
  MessageReader reader_{false};
  Sender sender_;
  bool waitsToSend_ = false;
  std::multimap<TimePoint, Connection*>::iterator delay_;
};

class Backend::Listener final : public Watcher {
 public:
  Listener(Backend& backend, net::Fd fd, int most) : limit(most), backend_(backend), fd_(std::move(fd)) {
    backend_.poller_.add(fd_.get(), EPOLLIN, *this);
  }
  void onEvents(std::uint32_t) override {
    for (;;) {
      net::Fd made(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!made) return;
      const int on = 1;
      ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      backend_.takeConnection().open(std::move(made), *this);
    }
  }

  const int limit;
  int active = 0;

 private:
  Backend& backend_;
  net::Fd fd_;
};

// --- a connection ---

void Backend::Connection::onEvents(std::uint32_t events) {
  switch (state_) {
    case State::closed:
      return;
    case State::reading:
      return read();
    case State::delayed:
      return close();  // the caller went away, or pipelines, which no proxy does
    case State::sending:
      return (events & (EPOLLERR | EPOLLHUP)) != 0 ? close() : send();
  }
}

void Backend::Connection::read() {
  static std::array<char, 64 * 1024> buffer;
  if (const std::size_t droppable = reader_.droppable(); droppable > 0) {
    const auto dropped = receiveAndDrop(fd_.get(), droppable);
    if (dropped == 0 || (dropped < 0 && errno != EAGAIN)) return close();
    if (dropped > 0) reader_.drop(static_cast<std::size_t>(dropped));
  } else {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return close();
    if (got > 0) reader_.take({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (reader_.broken()) return close();
  if (reader_.complete()) onRequest();
}

void Backend::Connection::onRequest() {
  if (++listener_->active > listener_->limit && listener_->limit > 0) {
    ++backend_.overLimit_;
    return respond(backend_.refusal_);
  }
  const auto delay = delayOf(reader_.startLine());
  if (delay.count() == 0) return answer();
  state_ = State::delayed;
  delay_ = backend_.delayed_.emplace(Clock::now() + delay, this);
}

void Backend::Connection::answer() {
  if (state_ == State::delayed) backend_.delayed_.erase(delay_);
  respond(backend_.answerTo(reader_.startLine()));
}

void Backend::Connection::respond(const Message& answer) {
  state_ = State::sending;
  sender_.start(answer);
  send();
}

void Backend::Connection::send() {
  switch (sender_.pump(fd_.get())) {
    case Sender::Progress::broken:
      return close();
    case Sender::Progress::blocked:
      if (!waitsToSend_) backend_.poller_.modify(fd_.get(), EPOLLOUT, *this);
      waitsToSend_ = true;
      return;
    case Sender::Progress::done:
      break;
  }
  if (waitsToSend_) backend_.poller_.modify(fd_.get(), EPOLLIN, *this);
  waitsToSend_ = false;
  --listener_->active;
  const bool closes = reader_.closes();
  state_ = State::reading;
  reader_.reset();
  if (closes) close();
}

void Backend::Connection::close() {
  if (state_ == State::delayed) backend_.delayed_.erase(delay_);
  if (state_ == State::delayed || state_ == State::sending) --listener_->active;
  state_ = State::closed;
  waitsToSend_ = false;
  fd_.reset();
  backend_.spare_.push_back(this);
}

// --- the backend ---

Backend::Backend(Poller& poller)
    : poller_(poller),
      small_(Message::make(okHead(), 100)),
      middle_(Message::make(okHead(), 10 << 10)),
      large_(Message::make(okHead(), 1 << 20)),
      refusal_(Message::make("HTTP/1.1 500 Too Many At Once\r\n", 0)) {}

Backend::~Backend() = default;

std::expected<void, std::string> Backend::listen(const BackendAddress& at) {
  auto fd = net::listenTcp(at.address);
  if (!fd) return std::unexpected(fd.error());
  fixReceiveBuffer(fd->get());  // what it accepts has it too
  listeners_.push_back(std::make_unique<Listener>(*this, *std::move(fd), at.limit));
  return {};
}

void Backend::onTime(TimePoint now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) delayed_.begin()->second->answer();
}

const Message& Backend::answerTo(std::string_view startLine) const {
  const std::string_view target = startLine.substr(0, startLine.rfind(' '));
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last == "1m" ? large_ : last == "10k" ? middle_ : small_;
}

Backend::Connection& Backend::takeConnection() {
  if (spare_.empty()) {
    connections_.push_back(std::make_unique<Connection>(*this));
    return *connections_.back();
  }
  Connection* connection = spare_.back();
  spare_.pop_back();
  return *connection;
}

}  // namespace pilotlight::bench
