#include "runtime-shim/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace pilotlight::shim {
namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};

// Length of the valid UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t utf8Length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  std::size_t length = first < 0x80                    ? 1
                       : first >= 0xC2 && first < 0xE0 ? 2
                       : first >= 0xE0 && first < 0xF0 ? 3
                       : first >= 0xF0 && first < 0xF5 ? 4
                                                       : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  bool surrogate = first == 0xED && byte(1) >= 0xA0;
  bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  bool tooLarge = first == 0xF4 && byte(1) >= 0x90;
  return surrogate || overlong || tooLarge ? 0 : length;
}

void appendString(std::string& out, std::string_view key, std::string_view value) {
  out.append(",\"").append(key).append("\":\"");
  appendJsonEscaped(out, value);
  out += '"';
}

}  // namespace

void appendJsonEscaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    char c = text.front();
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out += code;
    } else if (std::size_t length = utf8Length(text); length != 0) {
      out.append(text.substr(0, length));
      text.remove_prefix(length - 1);
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(1);
  }
}

std::string formatTimestamp(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  auto millis = floor<milliseconds>(time);
  auto day = floor<days>(millis);
  year_month_day date(day);
  hh_mm_ss clock(millis - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

Log::Log(int fd, std::string_view function, std::string_view namespace_, std::string_view version, std::string_view pod) : fd_(fd) {
  for (auto [key, value] : {std::pair{"function", function}, {"namespace", namespace_}, {"version", version}, {"pod", pod}}) {
    if (!value.empty()) appendString(common_, key, value);
  }
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const {
  std::string line = "{\"ts\":\"" + formatTimestamp(std::chrono::system_clock::now()) + "\",\"level\":\"";
  line.append(kLevels[static_cast<std::size_t>(level)]) += '"';
  appendString(line, "msg", message);
  line += common_;
  for (const LogField& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      appendString(line, field.key, *text);
    } else {
      line.append(",\"").append(field.key).append("\":").append(std::to_string(std::get<std::int64_t>(field.value)));
    }
  }
  line += "}\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads the log: nothing better to do than to go on
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace pilotlight::shim
