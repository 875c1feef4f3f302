#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/api.h"

namespace pilotlight::cli {

namespace {

constexpr std::size_t kGap = 3;

const std::string& shown(const std::string& cell) {
  static const std::string none = "<none>";
  return cell.empty() ? none : cell;
}

/// "5m3s", but "5m" when the smaller part is zero.
std::string twoUnits(std::int64_t big, char bigUnit, std::int64_t small, char smallUnit) {
  return small == 0 ? fmt::format("{}{}", big, bigUnit) : fmt::format("{}{}{}{}", big, bigUnit, small, smallUnit);
}

}  // namespace

std::string Table::toString(bool header) const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (std::size_t r = header ? 0 : 1; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < rows_[r].size() && c < widths.size(); ++c) widths[c] = std::max(widths[c], shown(rows_[r][c]).size());
  }
  std::string text;
  for (std::size_t r = header ? 0 : 1; r < rows_.size(); ++r) {
    const auto& row = rows_[r];
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c) {
      text += shown(row[c]);
      if (c + 1 < row.size()) text.append(widths[c] - shown(row[c]).size() + kGap, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string formatAge(std::chrono::seconds age) {
  const std::int64_t seconds = age.count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return fmt::format("{}s", seconds);
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return fmt::format("{}m", minutes);
  const std::int64_t hours = minutes / 60;
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return fmt::format("{}h", hours);
  const std::int64_t days = hours / 24;
  if (days < 8) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 2 * 365) return fmt::format("{}d", days);
  const std::int64_t years = days / 365;
  if (years < 8) return twoUnits(years, 'y', days % 365, 'd');
  return fmt::format("{}y", years);
}

std::string formatAgeOf(const std::string& timestamp, std::chrono::system_clock::time_point now) {
  const auto time = api::parseTime(timestamp);
  if (!time) return "<unknown>";
  return formatAge(std::chrono::duration_cast<std::chrono::seconds>(now - *time));
}

}  // namespace pilotlight::cli
