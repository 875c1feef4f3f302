#include <pilotlight/function.hpp>
#include <string>

PILOTLIGHT_HANDLER(handle) {
  const std::string name = request.queryValue("name");
  return pilotlight::Response::text("Hello, " + (name.empty() ? "stranger" : name) + "!\n");
}
