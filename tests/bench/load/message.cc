#include "tests/bench/load/message.h"

#include <strings.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include "net/socket.h"

namespace pilotlight::bench {

namespace {

constexpr std::size_t kInText = 32 * 1024;  // bodies up to here are sent together with the head
constexpr std::size_t kMaxHead = 64 * 1024;

int bodyFile() {
  static const net::Fd file = [] {
    net::Fd made(::memfd_create("body", MFD_CLOEXEC));
    const std::vector<char> bytes(Message::kMaxBody, 'x');
    if (::pwrite(made.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) made.reset();
    return made;
  }();
  return file.get();
}

bool startsWith(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && ::strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

Sender::Progress failed() {
  return errno == EAGAIN || errno == ENOTCONN ? Sender::Progress::blocked : Sender::Progress::broken;
}

}  // namespace

Message Message::make(std::string head, std::size_t bodyBytes) {
  const std::size_t size = std::min(bodyBytes, kMaxBody);
  head += "Content-Length: " + std::to_string(size) + "\r\n\r\n";
  if (size > kInText) return {std::move(head), size};
  return {std::move(head) + std::string(size, 'x'), 0};
}

// --- sending ---

Sender::Progress Sender::pump(int fd) {
  const int more = message_->fileBytes > 0 ? MSG_MORE : 0;
  while (text_ < message_->text.size()) {
    const auto sent = ::send(fd, message_->text.data() + text_, message_->text.size() - text_, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    if (sent < 0) return failed();
    text_ += static_cast<std::size_t>(sent);
  }
  return pumpFile(fd);
}

Sender::Progress Sender::pumpFile(int fd) {
  while (file_ < message_->fileBytes) {
    auto offset = static_cast<off_t>(file_);
    const auto sent = ::sendfile(fd, bodyFile(), &offset, message_->fileBytes - file_);
    if (sent < 0) return failed();
    if (sent == 0) return Progress::broken;
    file_ += static_cast<std::size_t>(sent);
  }
  return Progress::done;
}

void fixReceiveBuffer(int fd) {
  const int size = 1 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

std::ptrdiff_t receiveAndDrop(int fd, std::size_t bytes) {
  static std::array<char, Message::kMaxBody> untouched;  // of TCP, MSG_TRUNC drops in the kernel what it would have copied
  return ::recv(fd, untouched.data(), std::min(bytes, untouched.size()), MSG_TRUNC | MSG_DONTWAIT);
}

// --- reading ---

std::size_t MessageReader::take(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    switch (state_) {
      case State::head:
        taken += takeHead(rest);
        break;
      case State::body:
      case State::chunk: {
        const std::size_t part = std::min(left_, rest.size());
        drop(part);
        taken += part;
        break;
      }
      case State::chunkSize:
      case State::trailers:
        taken += takeLine(rest);
        break;
      case State::complete:
      case State::broken:
        return taken;
    }
  }
  return taken;
}

void MessageReader::drop(std::size_t bytes) {
  left_ -= bytes;
  if (left_ == 0) state_ = state_ == State::body ? State::complete : State::chunkSize;
}

void MessageReader::reset() {
  state_ = State::head;
  partial_.clear();
}

int MessageReader::status() const {
  int status = 0;
  if (startLine_.size() >= 12) std::from_chars(startLine_.data() + 9, startLine_.data() + 12, status);
  return status;
}

std::size_t MessageReader::takeHead(std::string_view bytes) {
  const std::size_t before = partial_.size();
  if (before > 0) partial_ += bytes;
  const std::string_view all = before > 0 ? std::string_view(partial_) : bytes;
  const std::size_t end = all.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (before == 0) partial_ = bytes;
    if (partial_.size() > kMaxHead) state_ = State::broken;
    return bytes.size();
  }
  parseHead(all.substr(0, end + 2));
  partial_.clear();
  return end + 4 - before;
}

void MessageReader::parseHead(std::string_view head) {
  chunked_ = hasLength_ = closes_ = false;
  left_ = 0;
  std::size_t end = head.find("\r\n");
  startLine_ = head.substr(0, end);
  for (std::size_t begin = end + 2; begin < head.size(); begin = end + 2) {
    end = head.find("\r\n", begin);
    parseField(head.substr(begin, end - begin));
  }
  endHead();
}

void MessageReader::parseField(std::string_view line) {
  const char first = line.empty() ? '\0' : static_cast<char>(line[0] | 0x20);
  if (first != 'c' && first != 't') return;
  if (startsWith(line, "content-length:")) {
    hasLength_ = true;
    const std::size_t value = line.find_first_of("0123456789");
    if (value != std::string_view::npos) std::from_chars(line.data() + value, line.data() + line.size(), left_);
  } else if (startsWith(line, "transfer-encoding:")) {
    chunked_ = true;
  } else if (startsWith(line, "connection: close")) {
    closes_ = true;
  }
}

void MessageReader::endHead() {
  const bool interim = responses_ && status() / 100 == 1;
  const bool bodiless = !responses_ || status() == 204 || status() == 304;
  if (interim)
    state_ = State::head;
  else if (chunked_)
    state_ = State::chunkSize;
  else if (hasLength_ || bodiless)
    state_ = left_ > 0 ? State::body : State::complete;
  else
    state_ = State::broken;  // until the connection's end: nobody here answers so
}

std::size_t MessageReader::takeLine(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  partial_ += bytes.substr(0, taken);
  if (end != std::string_view::npos) endLine();
  return taken;
}

void MessageReader::endLine() {
  if (state_ == State::trailers) {
    if (partial_ == "\r\n") state_ = State::complete;
  } else {
    std::size_t size = 0;
    const auto read = std::from_chars(partial_.data(), partial_.data() + partial_.size(), size, 16);
    left_ = size + 2;  // and its line end
    state_ = read.ec != std::errc() ? State::broken : size > 0 ? State::chunk : State::trailers;
  }
  partial_.clear();
}

}  // namespace pilotlight::bench
