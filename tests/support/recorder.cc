// A native function for tests: it writes a line per request into $RECORD_FILE ("<X-Request-Label> <pid>"), takes as long as the
// query says (?ms=20), and answers "<pid> <LABEL>". With $GATE_FILE set it is not ready before that file exists.
// A line "OVERLAP" tells that more requests ran at once than the replica's limit allows.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <pilotlight/function.hpp>
#include <string>
#include <thread>

namespace {

std::atomic<int> running = 0;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// One write with O_APPEND: lines of several processes do not mix.
void record(const std::string& line) {
  const int fd = open(variable("RECORD_FILE").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  close(fd);
}

}  // namespace

PILOTLIGHT_INIT {
  const std::string gate = variable("GATE_FILE");
  if (gate.empty()) return;
  for (int waited = 0; waited < 3000 && access(gate.c_str(), F_OK) != 0; ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  context.log(pilotlight::Level::info, "the gate is open");
}

PILOTLIGHT_HANDLER(handle) {
  const std::string limit = variable("RECORD_LIMIT");
  const bool overlap = ++running > (limit.empty() ? 1'000'000 : std::atoi(limit.c_str()));
  const std::string pid = std::to_string(getpid());
  if (!variable("RECORD_FILE").empty()) {
    record(std::string(request.header("x-request-label")) + " " + pid + "\n");
    if (overlap) record("OVERLAP\n");
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(request.queryValue("ms").c_str())));
  --running;
  return pilotlight::Response::text(pid + " " + variable("LABEL") + "\n");
}
