// Structured logs: one JSON object a line, a constant message and key=value fields.
// Thread-safe.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace pilotlight::op {

using LogField = std::pair<std::string_view, std::string_view>;

class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;
  /// `level`: trace | debug | info | warning | error | off; anything else is info. An empty sink is stdout.
  Log(const std::string& level, Sink sink);

  void debug(std::string_view message, std::initializer_list<LogField> fields) const;
  void info(std::string_view message, std::initializer_list<LogField> fields) const;
  void warn(std::string_view message, std::initializer_list<LogField> fields) const;
  void error(std::string_view message, std::initializer_list<LogField> fields) const;

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace pilotlight::op
