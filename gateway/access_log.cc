#include "gateway/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <ctime>
#include <utility>

namespace pilotlight::gateway {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kNap{5};           // between two batches: lines are written together
constexpr milliseconds kLastWords{200};   // for what is left at the end, when nobody takes it
constexpr std::size_t kRest = 32 * 1024;  // a batch from which on there is no nap

/// "2026-01-31T12:00:00", made once a second.
std::string_view secondText(time_t second) {
  thread_local time_t last = -1;
  thread_local char text[20];
  if (second != last) {
    last = second;
    tm parts{};
    gmtime_r(&second, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  }
  return {text, 19};
}

/// The same pipe or terminal, but not to be waited for. O_NONBLOCK belongs to the open file, which programs that have nothing to
/// do with us share: hence one of our own. None: it is something else, or may not be opened.
net::Fd openAgain(int fd) {
  struct stat about{};
  if (fstat(fd, &about) != 0 || !(S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode))) return {};
  return net::Fd(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

bool isPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

}  // namespace

void appendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto special = std::ranges::find_if_not(text, isPlain);
    const auto plain = static_cast<std::size_t>(special - text.begin());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else {  // as Latin-1: whatever came, the line is valid JSON
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    text.remove_prefix(1);
  }
  out += '"';
}

void beginLogLine(std::string& out, std::string_view level, std::string_view message) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  const auto millis = time.tv_nsec / 1'000'000 % 1000;
  const char fraction[] = {'.', static_cast<char>('0' + millis / 100), static_cast<char>('0' + millis / 10 % 10),
                           static_cast<char>('0' + millis % 10), 'Z'};
  out.assign("{\"ts\":\"").append(secondText(time.tv_sec)).append(fraction, sizeof fraction);
  out.append("\",\"level\":\"").append(level).append("\",\"component\":\"gateway\",\"msg\":");
  appendJsonString(out, message);
}

// --- the threads that log ---

LogWriter::LogWriter(LogWriterOptions options)
    : options_(std::move(options)),
      ownFd_(options_.sink ? net::Fd() : openAgain(options_.fd)),
      fd_(ownFd_ ? ownFd_.get() : options_.fd),
      wakeFd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  channel();
  thread_ = std::thread([this] { run(); });
}

LogWriter::~LogWriter() {
  stopping_ = true;
  eventfd_write(wakeFd_.get(), 1);
  thread_.join();
}

LogWriter::Channel& LogWriter::channel() {
  std::lock_guard lock(mutex_);
  channels_.push_back(std::make_unique<Channel>(*this, options_.ringBytes));
  return *channels_.back();
}

void LogWriter::Channel::write(std::string_view line) {
  ring_.push(line);
  if (writer_.sleeping_.load(std::memory_order_seq_cst) && writer_.sleeping_.exchange(false)) eventfd_write(writer_.wakeFd_.get(), 1);
}

void LogWriter::write(std::string_view line) {
  std::lock_guard lock(mutex_);
  channels_.front()->write(line);
}

std::uint64_t LogWriter::dropped() const {
  std::lock_guard lock(mutex_);
  std::uint64_t total = lost_.load(std::memory_order_relaxed);
  for (const auto& channel : channels_) total += channel->ring_.dropped();
  return total;
}

// --- the thread that writes ---

void LogWriter::run() {
  sigset_t broken;  // a pipe that nobody reads any more is an error of the write
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken, nullptr);
  std::string batch;
  for (;;) {
    const bool last = stopping_;
    collect(batch);
    if (batch.empty()) {
      if (last) return;
      sleep();
      continue;
    }
    emit(batch);
    const bool quiet = batch.size() < kRest;
    batch.clear();
    if (quiet && !last) wait(kNap);
  }
}

void LogWriter::collect(std::string& batch) {
  std::lock_guard lock(mutex_);
  for (const auto& channel : channels_) channel->ring_.takeAll(batch);
}

void LogWriter::sleep() {
  sleeping_.store(true, std::memory_order_seq_cst);
  bool empty = true;
  {
    std::lock_guard lock(mutex_);
    for (const auto& channel : channels_) empty = empty && channel->ring_.empty();
  }
  // What is pushed from here on finds the flag.
  if (empty && !stopping_) wait(milliseconds(-1));
  sleeping_ = false;
}

bool LogWriter::wait(milliseconds time) {
  pollfd waiter{wakeFd_.get(), POLLIN, 0};
  if (poll(&waiter, 1, static_cast<int>(time.count())) <= 0) return false;
  eventfd_t count;
  eventfd_read(wakeFd_.get(), &count);
  return true;
}

void LogWriter::emit(std::string_view batch) {
  if (!options_.sink) return writeOut(batch);
  while (!batch.empty()) {
    const std::size_t end = batch.find('\n');
    options_.sink(batch.substr(0, end));
    batch.remove_prefix(end + 1);
  }
}

void LogWriter::drop(std::string_view lines) {
  lost_.fetch_add(static_cast<std::uint64_t>(std::ranges::count(lines, '\n')), std::memory_order_relaxed);
}

bool LogWriter::writable() {
  auto patience = stopping_ ? kLastWords : milliseconds(-1);
  for (;;) {
    pollfd waiters[] = {{fd_, POLLOUT, 0}, {wakeFd_.get(), POLLIN, 0}};
    const int ready = poll(waiters, patience.count() < 0 ? 2 : 1, static_cast<int>(patience.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || waiters[0].revents != 0) return ready > 0;
    wait(milliseconds(0));
    if (stopping_) patience = kLastWords;
  }
}

/// A pipe that polls writable takes PIPE_BUF bytes without blocking, so that the thread can always be told to end, also where
/// it could not be opened again.
void LogWriter::writeOut(std::string_view batch) {
  struct stat about{};
  fstat(fd_, &about);
  const std::size_t most = S_ISREG(about.st_mode) ? batch.size() : PIPE_BUF;
  while (!batch.empty()) {
    const std::string_view part = torn_ ? std::string_view("\n") : batch.substr(0, most);
    const ssize_t written = writable() ? put(part, S_ISSOCK(about.st_mode)) : -1;
    if (written < 0) {
      if (!torn_) torn_ = inLine_;
      return drop(batch);
    }
    inLine_ = part[static_cast<std::size_t>(written) - 1] != '\n';
    if (!std::exchange(torn_, false)) batch.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Bytes written, at least one; -1: none can be.
ssize_t LogWriter::put(std::string_view part, bool socket) {
  for (;;) {
    const ssize_t written =
        socket ? send(fd_, part.data(), part.size(), MSG_NOSIGNAL | MSG_DONTWAIT) : ::write(fd_, part.data(), part.size());
    if (written > 0) return written;
    if (written == 0 || (errno != EINTR && errno != EAGAIN)) return -1;
    if (errno == EAGAIN && !writable()) return -1;
  }
}

}  // namespace pilotlight::gateway
