// A request head: however it is cut, the parser says the same; what it accepts has views within the input.
#include <cstdlib>
#include <string_view>

#include "net/http1.h"

using namespace pilotlight::net;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void within(std::string_view whole, std::string_view part) {
  if (!part.empty()) require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view data(reinterpret_cast<const char*>(bytes), size);
  static RequestHead head, shorter;
  int status = 0;
  if (parseRequestHead(data, {}, head, status) != Parse::done) return 0;
  require(head.size <= size && head.path.starts_with('/') | (head.path == "*"));
  for (std::string_view view : {head.method, head.target, head.path, head.query, head.host}) within(data, view);
  for (const Header& field : head.headers) {
    within(data, field.name);
    within(data, field.value);
    require(!field.name.empty() && field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  require(parseRequestHead(data.substr(0, head.size), {}, shorter, status) == Parse::done);
  require(parseRequestHead(data.substr(0, head.size - 1), {}, shorter, status) != Parse::done);
  return 0;
}
