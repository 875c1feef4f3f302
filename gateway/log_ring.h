// Lines on their way from one thread to another: a ring of bytes without a lock. One thread pushes, one takes; neither ever
// waits for the other. What does not fit is dropped whole and counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace pilotlight::gateway {

class LogRing {
 public:
  /// `bytes` is rounded up to a power of two.
  explicit LogRing(std::size_t bytes) : size_(std::bit_ceil(bytes)), bytes_(new char[size_]) {}

  /// One line without its end. By the thread that writes.
  void push(std::string_view line) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (line.size() + 1 > size_ - (tail - head_.load(std::memory_order_acquire))) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    copyIn(tail, line);
    bytes_[(tail + line.size()) & (size_ - 1)] = '\n';
    tail_.store(tail + line.size() + 1, std::memory_order_seq_cst);  // before its thread looks whether the reader sleeps
  }

  /// Appends all lines, with their ends, that are there. By the thread that reads.
  void takeAll(std::string& out) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed), tail = tail_.load(std::memory_order_acquire);
    const std::size_t at = head & (size_ - 1), length = static_cast<std::size_t>(tail - head), first = std::min(length, size_ - at);
    out.append(bytes_.get() + at, first).append(bytes_.get(), length - first);
    head_.store(tail, std::memory_order_release);
  }
  bool empty() const { return tail_.load(std::memory_order_seq_cst) == head_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void copyIn(std::uint64_t position, std::string_view text) {
    const std::size_t at = position & (size_ - 1), first = std::min(text.size(), size_ - at);
    std::memcpy(bytes_.get() + at, text.data(), first);
    std::memcpy(bytes_.get(), text.data() + first, text.size() - first);
  }

  const std::size_t size_;
  const std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // by the writing thread; rises for ever, as head_
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::uint64_t> head_{0};  // by the reading thread
};

}  // namespace pilotlight::gateway
