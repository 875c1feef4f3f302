// An answer's head from a replica that may say anything.
#include <cstdlib>
#include <string_view>

#include "net/http1.h"

using namespace pilotlight::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  static ResponseHead head;
  if (parseResponseHead(data, bytes[0] & 1, head) != Parse::done) return 0;
  if (head.size > data.size() || head.status < 100 || head.status > 999) std::abort();
  if (head.body == BodyKind::length && head.length == 0) std::abort();
  for (const Header& field : head.headers)
    if (field.name.empty() || field.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) std::abort();
  return 0;
}
