#include "tests/bench/load/stream.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

namespace pilotlight::bench {

namespace {

constexpr std::chrono::milliseconds kRetry{10};

std::string replaced(std::string text, int number) {
  if (const std::size_t at = text.find('%'); at != std::string::npos) text.replace(at, 1, std::to_string(number));
  return text;
}

Message requestOf(const StreamOptions& options, int number) {
  std::string head = (options.upload > 0 ? "POST " : "GET ") + replaced(options.path, number) +
                     " HTTP/1.1\r\nHost: " + replaced(options.host, number) + "\r\nUser-Agent: bench\r\nAccept: */*\r\n";
  if (options.fresh) head += "Connection: close\r\n";
  if (options.upload > 0) return Message::make(std::move(head), options.upload);
  return {std::move(head) + "\r\n", 0};
}

net::SocketAddress resolved(const net::Address& address) {
  const auto to = net::toSocketAddress(address);
  if (to) return *to;
  std::fprintf(stderr, "bench-load: not an address: %s\n", address.toString().c_str());
  std::exit(2);
}

}  // namespace

class Stream::Connection final : public Watcher {
 public:
  explicit Connection(Stream& stream) : stream_(stream) {}

  void send(const Message& request, TimePoint due, TimePoint now);
  void onEvents(std::uint32_t events) override;
  TimePoint due() const { return due_; }
  bool busy() const { return busy_; }
  bool open() const { return static_cast<bool>(fd_); }

 private:
  bool connect();
  void pump();
  void watch(std::uint32_t events);
  void read();
  void answered();
  void closed();
  void failed(TimePoint now);

  Stream& stream_;
  net::Fd fd_;
  MessageReader reader_{true};
  Sender sender_;
  TimePoint due_;
  std::uint32_t watched_ = 0;
  bool busy_ = false;
};

// --- a connection ---

void Stream::Connection::send(const Message& request, TimePoint due, TimePoint now) {
  due_ = due;
  busy_ = true;
  reader_.reset();
  sender_.start(request);
  if (!fd_ && !connect()) return failed(now);
  pump();
}

bool Stream::Connection::connect() {
  auto fd = net::connectTcp(stream_.to_);
  if (!fd) return false;
  fd_ = *std::move(fd);
  if (!stream_.options_.fresh) fixReceiveBuffer(fd_.get());
  watched_ = EPOLLIN;
  stream_.poller_.add(fd_.get(), watched_, *this);
  return true;
}

// Also tried while the connection is being made: over loopback it mostly is there at once.
void Stream::Connection::pump() {
  switch (sender_.pump(fd_.get())) {
    case Sender::Progress::done:
      return watch(EPOLLIN);
    case Sender::Progress::blocked:
      return watch(EPOLLIN | EPOLLOUT);
    case Sender::Progress::broken:
      return watch(EPOLLIN);  // there may be an answer to read; if not, reading tells
  }
}

void Stream::Connection::watch(std::uint32_t events) {
  if (events == watched_) return;
  watched_ = events;
  stream_.poller_.modify(fd_.get(), events, *this);
}

void Stream::Connection::onEvents(std::uint32_t events) {
  if (!fd_) return;
  if ((events & EPOLLOUT) != 0) pump();
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read();
}

void Stream::Connection::read() {
  static std::array<char, 64 * 1024> buffer;
  std::ptrdiff_t got = 0;
  if (const std::size_t droppable = reader_.droppable(); busy_ && droppable > 0) {
    got = receiveAndDrop(fd_.get(), droppable);
    if (got > 0) reader_.drop(static_cast<std::size_t>(got));
  } else {
    got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0 && busy_) reader_.take({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || reader_.broken()) return closed();
  if (busy_ && reader_.complete() && !stream_.options_.fresh) answered();
}

void Stream::Connection::answered() {
  busy_ = false;
  if (reader_.closes()) fd_.reset();
  stream_.onAnswer(*this, due_, reader_.status(), Clock::now());
}

// A connection per request is through when the peer has closed it.
void Stream::Connection::closed() {
  fd_.reset();
  if (!busy_) return;
  if (stream_.options_.fresh && reader_.complete()) return answered();
  failed(Clock::now());
}

void Stream::Connection::failed(TimePoint now) {
  busy_ = false;
  fd_.reset();
  stream_.onFailure(*this, due_, now);
}

// --- the stream ---

Stream::Stream(Poller& poller, StreamOptions options) : poller_(poller), options_(std::move(options)), to_(resolved(options_.to)) {
  for (int i = 0; i < options_.vary; ++i) requests_.push_back(requestOf(options_, i));
  std::ranges::shuffle(requests_, std::mt19937(1));
  for (int i = 0; i < options_.connections; ++i) connections_.push_back(std::make_unique<Connection>(*this));
}

Stream::~Stream() = default;

void Stream::start(Window window, TimePoint now) {
  window_ = window;
  began_ = now;
  for (const auto& connection : connections_) free_.push_back(connection.get());
  onTime(began_);
}

const Message& Stream::nextRequest() {
  if (next_ == requests_.size()) next_ = 0;
  return requests_[next_++];
}

TimePoint Stream::dueAt(std::int64_t index) const {
  return began_ + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(index) * 1e9 / options_.rate));
}

bool Stream::mayStart(TimePoint now) const {
  if (options_.limit > 0 && begun_ == options_.limit) return false;
  return options_.rate > 0 ? dueAt(begun_) <= std::min(now, stopped_) : stopped_ == TimePoint::max();
}

TimePoint Stream::nextDue() const {
  const bool open = options_.rate > 0 && !free_.empty() && stopped_ == TimePoint::max();
  return std::min(retry_, open ? dueAt(begun_) : TimePoint::max());
}

void Stream::onTime(TimePoint now) {
  if (now >= retry_) {
    retry_ = TimePoint::max();
    free_.insert(free_.end(), broken_.begin(), broken_.end());
    broken_.clear();
  }
  startDue(now);
}

void Stream::startDue(TimePoint now) {
  while (!free_.empty() && mayStart(now)) {
    Connection* connection = free_.front();
    free_.pop_front();
    startOn(*connection, now);
  }
}

void Stream::startOn(Connection& connection, TimePoint now) {
  ++underWay_;
  const TimePoint due = options_.rate > 0 ? dueAt(begun_) : now;
  ++begun_;
  connection.send(nextRequest(), due, now);
}

void Stream::onFree(Connection& connection, TimePoint now) {
  free_.push_back(&connection);
  startDue(now);
}

void Stream::onAnswer(Connection& connection, TimePoint due, int status, TimePoint now) {
  --underWay_;
  if (window_.holds(options_.rate > 0 ? due : now)) {
    ++tally_.statuses[status];
    (status / 100 == 2 ? tally_.answered : tally_.refused).record(now - due);
  }
  onFree(connection, now);
}

void Stream::onFailure(Connection& connection, TimePoint due, TimePoint now) {
  --underWay_;
  if (window_.holds(options_.rate > 0 ? due : now)) ++tally_.failures;
  broken_.push_back(&connection);
  if (retry_ == TimePoint::max()) retry_ = now + kRetry;
}

void Stream::stop(TimePoint now) {
  stopped_ = std::min(now, window_.end);
}

bool Stream::finished() const {
  const bool allBegun = options_.limit > 0 && begun_ == options_.limit;
  const bool backlog = options_.rate > 0 && stopped_ != TimePoint::max() && mayStart(stopped_);
  return underWay_ == 0 && (allBegun || (stopped_ != TimePoint::max() && !backlog));
}

std::size_t Stream::openConnections() const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [](const auto& connection) { return connection->open(); }));
}

void Stream::giveUp() {
  for (const auto& connection : connections_)
    if (connection->busy() && window_.holds(options_.rate > 0 ? connection->due() : stopped_)) ++tally_.lost;
  if (options_.rate <= 0) return;
  const auto unlimited = std::numeric_limits<std::int64_t>::max();
  const std::int64_t end = options_.limit > 0 ? options_.limit : unlimited;
  for (std::int64_t index = begun_; index < end && dueAt(index) < window_.end; ++index)
    if (window_.holds(dueAt(index))) ++tally_.lost;
}

}  // namespace pilotlight::bench
