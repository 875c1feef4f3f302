#include "cli/local/line_reader.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pilotlight::local {

LineReader::LineReader(net::Loop& loop, net::Fd fd, std::function<void(std::string_view)> onLine)
    : loop_(loop), fd_(std::move(fd)), onLine_(std::move(onLine)) {
  loop_.add(fd_.get(), EPOLLIN, *this);
}

LineReader::~LineReader() {
  close();
}

void LineReader::close() {
  if (!fd_) return;
  loop_.remove(fd_.get(), *this);
  fd_.reset();
}

void LineReader::onReady(std::uint32_t) {
  const ssize_t got = readSome();
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  finish(0);
}

ssize_t LineReader::readSome() {
  char* block = loop_.takeBlock();
  const ssize_t got = read(fd_.get(), block, net::Loop::kBlockSize);
  const int error = errno;
  if (got > 0) take({block, static_cast<std::size_t>(got)});
  loop_.giveBlock(block);
  errno = error;
  return got;
}

void LineReader::take(std::string_view data) {
  while (!data.empty()) {
    const std::size_t room = kMaxLine - line_.size();
    const std::size_t end = data.substr(0, room + 1).find('\n');
    if (end == std::string_view::npos) {
      const std::size_t size = std::min(room, data.size());
      line_.append(data.substr(0, size));
      data.remove_prefix(size);
      if (data.empty()) return;  // a full line waits: its end may be the next byte
      onLine_(line_);
    } else if (line_.empty()) {
      onLine_(data.substr(0, end));
      data.remove_prefix(end + 1);
    } else {
      line_.append(data.substr(0, end));
      data.remove_prefix(end + 1);
      onLine_(line_);
    }
    line_.clear();
  }
}

void LineReader::finish(std::size_t maxBytes) {
  if (!fd_) return;
  for (std::size_t total = 0; total < maxBytes;) {
    const ssize_t got = readSome();
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    total += static_cast<std::size_t>(got);
  }
  close();
  if (line_.empty()) return;
  const std::string last = std::move(line_);
  line_.clear();
  onLine_(last);
}

}  // namespace pilotlight::local
