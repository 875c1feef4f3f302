#include <pilotlight/function.hpp>

#include <string>

// Handlers run on several threads at once: up to concurrency.perReplica of them.
PILOTLIGHT_HANDLER(handle) {
  const std::string name = request.queryValue("name");
  return pilotlight::Response::text("Hello, " + (name.empty() ? "stranger" : name) + "!\n");
}
