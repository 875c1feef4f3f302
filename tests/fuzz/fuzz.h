// What the targets have in common. An input's first byte says how the rest is cut.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace pilotlight::fuzz {

/// An invariant: the fuzzer reports what breaks it.
inline void require(bool condition) {
  if (!condition) std::abort();
}

struct Input {
  unsigned control = 0;
  std::string_view data;

  Input(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return;
    control = bytes[0];
    data = {reinterpret_cast<const char*>(bytes) + 1, size - 1};
  }
};

/// Cuts data into parts of changing sizes.
class Cuts {
 public:
  explicit Cuts(const Input& input) : state_(input.control + 1) {}
  std::string_view next(std::string_view data) {
    state_ = state_ * 1103515245 + 12345;
    return data.substr(0, 1 + (state_ >> 16) % (state_ % 4 == 0 ? 200 : 20));
  }

 private:
  std::uint32_t state_;
};

}  // namespace pilotlight::fuzz
