// Objects that are used again, so that a warm request allocates none. Not thread-safe.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace pilotlight::shim {

/// Keeps what it has made until it ends: as many as were ever in use at once.
template <class T>
class Pool {
 public:
  /// One that was given back, as it was left; or a new one made of `arguments`.
  template <class... Arguments>
  T& take(Arguments&&... arguments) {
    if (spare_.empty()) return *all_.emplace_back(std::make_unique<T>(std::forward<Arguments>(arguments)...));
    T& object = *spare_.back();
    spare_.pop_back();
    return object;
  }
  void give(T& object) { spare_.push_back(&object); }
  std::size_t inUse() const { return all_.size() - spare_.size(); }
  std::span<const std::unique_ptr<T>> all() const { return all_; }

 private:
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> spare_;
};

}  // namespace pilotlight::shim
