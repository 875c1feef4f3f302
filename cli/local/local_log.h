// The log file of a local instance: JSON lines of operator, gateway and runner, rotated. Errors show on stderr as well.
// Thread-safe.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace pilotlight::local {

class LocalLog {
 public:
  /// `onError` gets the lines of errors too, from the thread that logs.
  static std::expected<LocalLog, std::string> open(const std::filesystem::path& file, std::function<void(std::string_view)> onError);
  void line(std::string_view json) const;

 private:
  std::shared_ptr<spdlog::logger> file_;
  std::function<void(std::string_view)> onError_;
};

}  // namespace pilotlight::local
