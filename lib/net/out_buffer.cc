#include "net/out_buffer.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace pilotlight::net {

void OutBuffer::clear() {
  loop_.giveBlock(block_);
  block_ = nullptr;
  begin_ = end_ = 0;
  if (spill_.capacity() > 0) std::string().swap(spill_);
  spillBegin_ = 0;
}

void OutBuffer::appendSlowly(std::string_view data) {
  // What a slow but moving peer has taken goes, or a buffer that is never quite empty would keep all that ever passed.
  if (spillBegin_ >= Loop::kBlockSize && spillBegin_ * 2 >= spill_.size()) {
    spill_.erase(0, spillBegin_);
    spillBegin_ = 0;
  }
  if (spill_.empty()) {
    if (!block_) block_ = loop_.takeBlock();
    const std::size_t take = std::min(data.size(), Loop::kBlockSize - end_);
    std::memcpy(block_ + end_, data.data(), take);
    end_ += take;
    data.remove_prefix(take);
  }
  spill_.append(data);
}

void OutBuffer::appendNumber(std::uint64_t value, int base) {
  char text[24];
  const auto result = std::to_chars(text, text + sizeof text, value, base);
  append({text, static_cast<std::size_t>(result.ptr - text)});
}

OutBuffer::Sent OutBuffer::sendThrough(Wire& wire, std::string_view data, std::uint64_t& total) {
  while (size() + data.size() > 0) {
    iovec parts[3];
    int count = 0;
    const auto add = [&](const char* at, std::size_t length) {
      if (length) parts[count++] = {const_cast<char*>(at), length};
    };
    add(block_ + begin_, end_ - begin_);
    add(spill_.data() + spillBegin_, spill_.size() - spillBegin_);
    add(data.data(), data.size());
    const ssize_t sent = wire.send(parts, count);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Sent::failed;
      append(data);
      return Sent::blocked;
    }
    total += static_cast<std::uint64_t>(sent);
    std::size_t left = static_cast<std::size_t>(sent);
    const auto take = [&](std::size_t available) {
      const std::size_t n = std::min(left, available);
      left -= n;
      return n;
    };
    begin_ += take(end_ - begin_);
    spillBegin_ += take(spill_.size() - spillBegin_);
    data.remove_prefix(take(data.size()));
  }
  clear();
  return Sent::all;
}

}  // namespace pilotlight::net
