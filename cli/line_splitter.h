// Cuts a stream of bytes into lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pilotlight::cli {

class LineSplitter {
 public:
  /// A longer line is cut: who writes no line ends must not fill the memory.
  static constexpr std::size_t kLongest = std::size_t{1} << 20;
  /// What has no end yet.
  const std::string& rest() const { return rest_; }
  /// The lines that are complete now, without their ends.
  std::vector<std::string> feed(std::string_view part) {
    std::vector<std::string> lines;
    for (auto end = part.find('\n'); end != std::string_view::npos; end = part.find('\n')) {
      lines.push_back(rest_.append(part.substr(0, end)));
      rest_.clear();
      part.remove_prefix(end + 1);
    }
    rest_ += part;
    if (rest_.size() > kLongest) lines.push_back(std::exchange(rest_, {}));
    return lines;
  }

 private:
  std::string rest_;
};

}  // namespace pilotlight::cli
