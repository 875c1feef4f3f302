#include "net/block_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace pilotlight::net {

void BlockQueue::append(std::string_view data) {
  size_ += data.size();
  while (!data.empty()) {
    if (!tail_ || end_ == sizeof tail_->bytes) {
      Block* block = new (loop_.takeBlock()) Block;
      block->next = nullptr;
      (tail_ ? tail_->next : head_) = block;
      tail_ = block;
      end_ = 0;
    }
    const std::size_t take = std::min(data.size(), sizeof tail_->bytes - end_);
    std::memcpy(tail_->bytes + end_, data.data(), take);
    end_ += take;
    data.remove_prefix(take);
  }
}

std::string_view BlockQueue::front() const {
  if (!head_) return {};
  return {head_->bytes + begin_, (head_ == tail_ ? end_ : sizeof head_->bytes) - begin_};
}

void BlockQueue::consume(std::size_t bytes) {
  assert(bytes <= size_);
  while (bytes > 0) {
    const std::size_t take = std::min(bytes, front().size());
    begin_ += take;
    size_ -= take;
    bytes -= take;
    if (front().empty()) dropHead();
  }
}

void BlockQueue::clear() {
  while (head_) dropHead();
  size_ = 0;
}

void BlockQueue::dropHead() {
  Block* block = head_;
  head_ = block->next;
  if (!head_) tail_ = nullptr;
  begin_ = 0;
  loop_.giveBlock(reinterpret_cast<char*>(block));
}

}  // namespace pilotlight::net
