// JSON log lines: {"ts":…,"level":…,"msg":…,"function":…,"version":…,…}. Each line is one write, so that lines of several
// threads, and the handler's own output on the same pipe, don't mix.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace pilotlight::shim {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t> value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, std::int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
};

/// Appends `text` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
void appendJsonEscaped(std::string& out, std::string_view text);
/// "2026-01-31T12:00:00.123Z"
std::string formatTimestamp(std::chrono::system_clock::time_point time);

/// Thread-safe.
class Log {
 public:
  /// Empty fields are left out of the lines.
  Log(int fd, std::string_view function, std::string_view namespace_, std::string_view version, std::string_view pod);
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) const { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) const { write(LogLevel::error, message, fields); }

 private:
  const int fd_;
  std::string common_;  // constant after construction
};

}  // namespace pilotlight::shim
