// Tables and times as kubectl prints them. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace pilotlight::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : rows_{std::move(columns)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  /// Columns are as wide as their widest cell plus three blanks; empty cells print as <none>; no blanks at the end of a line.
  std::string toString(bool header = true) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first one holds the column names
};

/// "5m3s", "2d", "<invalid>": apimachinery's duration.HumanDuration.
std::string formatAge(std::chrono::seconds age);

/// Age of an RFC 3339 time at `now`; "<unknown>" when it is empty or unreadable.
std::string formatAgeOf(const std::string& timestamp, std::chrono::system_clock::time_point now);

}  // namespace pilotlight::cli
