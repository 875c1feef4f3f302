// Native handlers for the shim's tests.
#include <pilotlight/function.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>

static std::mutex mutex;
static std::condition_variable changed;
static bool released = false;

PILOTLIGHT_INIT {
  context.log(pilotlight::Level::info, "init hook ran for " + std::string(context.function()));
  if (getenv("FAIL_INIT")) throw std::runtime_error("no database today");
  if (getenv("SLOW_INIT")) usleep(400'000);
}

PILOTLIGHT_SHUTDOWN {
  context.log(pilotlight::Level::info, "shutdown hook ran");
}

static std::string secret() {
  std::ifstream file(std::string(getenv("SECRET_FILE")));
  return {std::istreambuf_iterator<char>(file), {}};
}
static std::string told;  // guarded by mutex

PILOTLIGHT_CHANGED {
  context.log(pilotlight::Level::info, "changed hook ran");
  std::lock_guard lock(mutex);
  told = secret();
}

PILOTLIGHT_HANDLER(handle) {
  std::string_view path = request.path();
  if (path == "/throw") throw std::runtime_error("broken on purpose");
  if (path == "/abort") abort();
  if (path == "/sleep") usleep(static_cast<useconds_t>(std::stoi(request.queryValue("ms"))) * 1000);
  if (path == "/wait") {
    std::unique_lock lock(mutex);
    changed.wait(lock, [] { return released; });
  }
  if (path == "/release") {
    std::lock_guard lock(mutex);
    released = true;
    changed.notify_all();
  }
  if (path == "/secret") {
    std::lock_guard lock(mutex);
    return pilotlight::Response::text(told);
  }
  if (path == "/env") {
    const char* gateways = getenv("PILOTLIGHT_GATEWAYS");
    return pilotlight::Response::text(gateways ? gateways : "none");
  }
  if (path == "/log") request.log(pilotlight::Level::warn, "from the handler");
  if (path == "/describe") {
    std::string text;
    text.append(request.method()).append(" ").append(request.param("id")).append(" ").append(request.id()).append("\n");
    for (auto [name, value] : request.headers()) text.append(name).append("=").append(value).append("\n");
    return pilotlight::Response::text(text).header("X-Pilotlight-Refused", "starting").header("X-Mine", "yes");
  }
  return pilotlight::Response::text(std::string(request.body()), request.method() == "PUT" ? 201 : 200);
}

// Sends back what it reads, as it reads it.
PILOTLIGHT_STREAM_HANDLER(echo) {
  char part[50'000];
  writer.header("content-type", "application/x-echo");
  for (std::int64_t count; (count = request.read(part, sizeof part)) > 0;) {
    if (!writer.write({part, static_cast<std::size_t>(count)})) return;
  }
}

PILOTLIGHT_STREAM_HANDLER(half) {
  writer.write("the first half");
  throw std::runtime_error("no second half");
}

PILOTLIGHT_STREAM_HANDLER(flood) {  // until nobody reads any more
  while (writer.write(std::string(10'000, 'f'))) {
  }
  request.log(pilotlight::Level::info, "nobody reads");
}

PILOTLIGHT_STREAM_HANDLER(stubborn) {  // notes when it is cancelled
  while (!request.cancelled()) usleep(1000);
  request.log(pilotlight::Level::info, "handler saw that nobody waits");
}
