#include "kube/time.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace pilotlight::kube {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

/// Takes `digits` digits and then, unless it is 0, the character `after`.
std::optional<int> take(std::string_view& text, std::size_t digits, char after) {
  int value = 0;
  if (text.size() < digits || text.substr(0, digits).find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, digits);
  std::from_chars(part.begin(), part.end(), value);
  text.remove_prefix(digits);
  if (after == 0) return value;
  if (!text.starts_with(after)) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

std::optional<SystemTime> takeSeconds(std::string_view& text) {
  const auto year = take(text, 4, '-');
  const auto month = year ? take(text, 2, '-') : std::nullopt;
  const auto day = month ? take(text, 2, 'T') : std::nullopt;
  const auto hour = day ? take(text, 2, ':') : std::nullopt;
  const auto minute = hour ? take(text, 2, ':') : std::nullopt;
  const auto second = minute ? take(text, 2, 0) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
}

std::optional<microseconds> takeFraction(std::string_view& text) {
  if (!text.starts_with('.')) return microseconds(0);
  text.remove_prefix(1);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return std::nullopt;
  microseconds::rep value = 0;
  for (std::size_t i = 0; i < 6; ++i) value = value * 10 + (i < digits ? text[i] - '0' : 0);
  text.remove_prefix(digits);
  return microseconds(value);
}

std::optional<std::chrono::minutes> takeOffset(std::string_view& text) {
  if (text == "Z") {
    text = {};
    return std::chrono::minutes(0);
  }
  if (!text.starts_with('+') && !text.starts_with('-')) return std::nullopt;
  const int sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  const auto hours = take(text, 2, ':');
  const auto minutes = hours ? take(text, 2, 0) : std::nullopt;
  if (!minutes || !text.empty()) return std::nullopt;
  return std::chrono::minutes(sign * (*hours * 60 + *minutes));
}

std::string format(SystemTime time, bool micro) {
  const auto whole = std::chrono::floor<seconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(whole);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(whole - days);
  const auto fraction = std::chrono::floor<microseconds>(time - whole).count();
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), micro ? "%04d-%02u-%02uT%02ld:%02ld:%02ld.%06ldZ" : "%04d-%02u-%02uT%02ld:%02ld:%02ldZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<long>(clock.hours().count()), static_cast<long>(clock.minutes().count()),
                static_cast<long>(clock.seconds().count()), static_cast<long>(fraction));
  return text.data();
}

}  // namespace

std::string timestamp(SystemTime time) {
  return format(time, false);
}

std::string microTimestamp(SystemTime time) {
  return format(time, true);
}

std::optional<SystemTime> parseTimestamp(std::string_view text) {
  const auto whole = takeSeconds(text);
  const auto fraction = whole ? takeFraction(text) : std::nullopt;
  const auto offset = fraction ? takeOffset(text) : std::nullopt;
  if (!offset) return std::nullopt;
  return *whole + *fraction - *offset;
}

}  // namespace pilotlight::kube
