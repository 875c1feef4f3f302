// Cuts a stream of bytes into lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::cli {

class LineSplitter {
 public:
  /// The lines that are complete now, without their ends.
  std::vector<std::string> feed(std::string_view part) {
    std::vector<std::string> lines;
    for (auto end = part.find('\n'); end != std::string_view::npos; end = part.find('\n')) {
      lines.push_back(rest_.append(part.substr(0, end)));
      rest_.clear();
      part.remove_prefix(end + 1);
    }
    rest_ += part;
    return lines;
  }

 private:
  std::string rest_;
};

}  // namespace pilotlight::cli
