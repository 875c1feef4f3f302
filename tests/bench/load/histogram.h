// Durations counted in classes of at most 0.8 % width, from a nanosecond to hours, in a fixed 58 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace pilotlight::bench {

class Histogram {
 public:
  void record(std::chrono::nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
    ++classes_[classOf(value)];
    ++count_;
    max_ = std::max(max_, value);
  }
  std::uint64_t count() const { return count_; }
  double maxMicros() const { return static_cast<double>(max_) / 1000; }
  /// The upper bound of the class that holds the value below which `share` of them are.
  double micros(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < classes_.size(); ++i)
      if ((seen += classes_[i]) > wanted) return static_cast<double>(std::min(max_, upperBound(i))) / 1000;
    return maxMicros();
  }

 private:
  // Values below 256 have classes of their own; each further power of two is cut into 128.
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kHalf = std::size_t{1} << kBits;

  static std::size_t classOf(std::uint64_t value) {
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    if (width <= kBits + 1) return value;
    const unsigned shift = width - kBits - 1;
    return shift * kHalf + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t upperBound(std::size_t index) {
    if (index < 2 * kHalf) return index;
    const std::size_t shift = index / kHalf - 1;
    return ((index - shift * kHalf + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kHalf * (65 - kBits)> classes_{};
  std::uint64_t count_ = 0, max_ = 0;
};

}  // namespace pilotlight::bench
