// Durations, quantities and times as Kubernetes writes them.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "api/api.h"

namespace pilotlight::api {
namespace {

constexpr const char* kDurationAllowed = "must be a duration such as 250ms, 30s or 1m30s (units: h, m, s, ms)";
constexpr const char* kBytesAllowed = "must be a quantity of bytes such as 512Mi, 1G or 1024";
constexpr const char* kCpuAllowed = "must be a quantity of CPU such as 500m, 0.5 or 2";

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

struct Decimal {
  std::int64_t whole = 0;
  std::int64_t thousandths = 0;  ///< at most three digits are taken
  bool fraction = false;
};

/// Takes digits with up to three decimals off the front of `text`.
std::optional<Decimal> takeDecimal(std::string_view& text) {
  Decimal decimal;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), decimal.whole);
  if (error != std::errc{} || decimal.whole < 0 || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with('.')) return decimal;
  text.remove_prefix(1);
  decimal.fraction = true;
  int digits = 0;
  for (std::int64_t scale = 100; !text.empty() && text.front() >= '0' && text.front() <= '9'; scale /= 10, ++digits) {
    if (digits == 3) return std::nullopt;
    decimal.thousandths += scale * (text.front() - '0');
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  return decimal;
}

/// decimal * factor, rounded up; nullopt on overflow.
std::optional<std::int64_t> scaled(const Decimal& decimal, std::int64_t factor) {
  std::int64_t whole = 0, part = 0, sum = 0;
  if (__builtin_mul_overflow(decimal.whole, factor, &whole) || __builtin_mul_overflow(decimal.thousandths, factor, &part))
    return std::nullopt;
  if (__builtin_add_overflow(whole, part / 1000 + (part % 1000 != 0), &sum)) return std::nullopt;
  return sum;
}

}  // namespace

std::expected<Duration, std::string> parseDuration(std::string_view text) {
  constexpr std::array<Unit, 4> units = {{{"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}}};
  if (text.empty() || text.size() > 32) return std::unexpected(kDurationAllowed);
  std::int64_t total = 0;
  while (!text.empty()) {
    auto decimal = takeDecimal(text);
    if (!decimal) return std::unexpected(kDurationAllowed);
    const Unit* found = nullptr;
    for (const Unit& unit : units) {
      if (!found && text.starts_with(unit.name)) found = &unit;
    }
    if (!found || (decimal->fraction && found->factor == 1)) return std::unexpected(kDurationAllowed);
    text.remove_prefix(found->name.size());
    auto part = scaled(*decimal, found->factor);
    if (!part || __builtin_add_overflow(total, *part, &total)) return std::unexpected(kDurationAllowed);
  }
  return Duration(total);
}

std::string formatDuration(Duration duration) {
  std::int64_t left = duration.count();
  if (left == 0) return "0s";
  std::string text;
  if (left < 0) {
    text = "-";
    left = -left;
  }
  for (const Unit& unit : std::array<Unit, 4>{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}}) {
    if (left < unit.factor) continue;
    text += std::to_string(left / unit.factor);
    text += unit.name;
    left %= unit.factor;
  }
  return text;
}

namespace {
constexpr std::array<Unit, 8> kByteUnits = {{{"Ti", 1LL << 40},
                                             {"Gi", 1LL << 30},
                                             {"Mi", 1LL << 20},
                                             {"Ki", 1LL << 10},
                                             {"T", 1'000'000'000'000},
                                             {"G", 1'000'000'000},
                                             {"M", 1'000'000},
                                             {"k", 1000}}};
}

std::expected<Bytes, std::string> parseBytes(std::string_view text) {
  if (text.empty() || text.size() > 32) return std::unexpected(kBytesAllowed);
  auto decimal = takeDecimal(text);
  if (!decimal) return std::unexpected(kBytesAllowed);
  std::int64_t factor = text.empty() ? 1 : 0;
  for (const Unit& unit : kByteUnits) {
    if (text == unit.name) factor = unit.factor;
  }
  if (factor == 0) return std::unexpected(kBytesAllowed);
  auto value = scaled(*decimal, factor);
  if (!value) return std::unexpected(kBytesAllowed);
  return Bytes{*value};
}

std::string formatBytes(Bytes bytes) {
  for (const Unit& unit : kByteUnits) {
    if (bytes.value != 0 && bytes.value % unit.factor == 0) return std::to_string(bytes.value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(bytes.value);
}

std::expected<MilliCpu, std::string> parseCpu(std::string_view text) {
  if (text.empty() || text.size() > 32) return std::unexpected(kCpuAllowed);
  auto decimal = takeDecimal(text);
  if (!decimal || !(text.empty() || text == "m") || (decimal->fraction && text == "m")) return std::unexpected(kCpuAllowed);
  auto value = scaled(*decimal, text == "m" ? 1 : 1000);
  if (!value) return std::unexpected(kCpuAllowed);
  return MilliCpu{*value};
}

std::string formatCpu(MilliCpu cpu) {
  return cpu.value % 1000 == 0 ? std::to_string(cpu.value / 1000) : std::to_string(cpu.value) + "m";
}

std::string formatTime(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  auto day = floor<days>(time);
  year_month_day date(day);
  hh_mm_ss clock(floor<seconds>(time - day));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

namespace {

/// Exactly `digits` digits at `at`, or -1.
int number(std::string_view text, std::size_t at, std::size_t digits) {
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// "Z" or "+01:30" in minutes.
std::optional<int> zoneMinutes(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  int hours = number(zone, 1, 2), minutes = number(zone, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parseTime(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 20 || text.size() > 40 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  int hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  int y = number(text, 0, 4), m = number(text, 5, 2), d = number(text, 8, 2);
  if (y < 0 || m < 0 || d < 0) return std::nullopt;
  year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  nanoseconds fraction{0};
  if (text[at] == '.') {
    std::size_t digits = 0;
    for (std::int64_t scale = 100'000'000; at + 1 < text.size() && number(text, at + 1, 1) >= 0; scale /= 10, ++at, ++digits) {
      fraction += nanoseconds(scale * number(text, at + 1, 1));
    }
    if (digits == 0) return std::nullopt;
    ++at;
  }
  auto zone = zoneMinutes(text.substr(at));
  if (!zone) return std::nullopt;
  // Years far from now do not fit the clock's nanoseconds.
  if (y < 1678 || y > 2261) return std::nullopt;
  auto time = sys_days(date) + hours(hour) + minutes(minute - *zone) + seconds(second) + fraction;
  return time_point_cast<system_clock::duration>(time);
}

}  // namespace pilotlight::api
