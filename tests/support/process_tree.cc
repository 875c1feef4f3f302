#include "tests/support/process_tree.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <set>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace pilotlight::test {

namespace fs = std::filesystem;

namespace {

// /proc/PID/stat: "pid (name) state ppid …"; the name may hold blanks and parentheses, so fields count from the last ')'.
std::optional<Process> readProcess(pid_t pid) {
  const fs::path folder = fs::path("/proc") / std::to_string(pid);
  const std::string stat = readFile(folder / "stat");
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  Process process{.pid = pid, .parent = 0, .started = {}, .state = '?', .command = {}, .workDir = {}};
  std::istringstream fields(stat.substr(end + 1));
  fields >> process.state >> process.parent;
  for (int field = 5; field <= 22; ++field) fields >> process.started;
  process.command = readFile(folder / "cmdline");
  std::replace(process.command.begin(), process.command.end(), '\0', ' ');
  std::error_code unreadable;
  process.workDir = fs::read_symlink(folder / "cwd", unreadable);
  return process;
}

bool below(const fs::path& path, const fs::path& folder) {
  const std::string text = path.string(), prefix = folder.string();
  return text == prefix || text.starts_with(prefix + "/");
}

}  // namespace

std::vector<Process> allProcesses() {
  std::vector<Process> all;
  std::error_code gone;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); })) continue;
    if (std::optional<Process> process = readProcess(std::atoi(name.c_str()))) all.push_back(*process);
  }
  return all;
}

std::vector<Process> descendants(pid_t root) {
  const std::vector<Process> all = allProcesses();
  std::set<pid_t> family{root};
  std::vector<Process> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const Process& process : all) {
      if (!family.contains(process.parent) || !family.insert(process.pid).second) continue;
      found.push_back(process);
      grown = true;
    }
  }
  return found;
}

std::vector<Process> processesIn(const fs::path& folder) {
  std::vector<Process> found;
  for (const Process& process : allProcesses()) {
    if (process.state != 'Z' && below(process.workDir, folder)) found.push_back(process);
  }
  return found;
}

bool alive(const Process& process) {
  const std::optional<Process> now = readProcess(process.pid);
  return now && now->started == process.started && now->state != 'Z' && now->state != 'X';
}

std::string describe(const std::vector<Process>& processes) {
  std::string text;
  for (const Process& process : processes) {
    text += std::to_string(process.pid) + " (parent " + std::to_string(process.parent) + ", " + process.state + ") " + process.command +
            "in " + process.workDir.string() + "\n";
  }
  return text;
}

}  // namespace pilotlight::test
