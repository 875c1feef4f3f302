// Bytes that wait in a queue of the loop's blocks: what a stream of HTTP/2 has received or is to send. Loop thread only.
#pragma once

#include <cstddef>
#include <string_view>

#include "net/loop.h"

namespace pilotlight::net {

class BlockQueue {
 public:
  explicit BlockQueue(Loop& loop) : loop_(loop) {}
  ~BlockQueue() { clear(); }
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void append(std::string_view data);
  /// What comes first, as far as it lies in one block. Valid until it is consumed.
  std::string_view front() const;
  void consume(std::size_t bytes);  ///< at most size()
  void clear();

 private:
  struct Block {
    Block* next;
    char bytes[Loop::kBlockSize - sizeof(Block*)];
  };
  static_assert(sizeof(Block) == Loop::kBlockSize);
  void dropHead();

  Loop& loop_;
  Block* head_ = nullptr;  // every block but the last one is full
  Block* tail_ = nullptr;
  std::size_t begin_ = 0;  // in head_
  std::size_t end_ = 0;    // in tail_
  std::size_t size_ = 0;
};

}  // namespace pilotlight::net
