// Chunked coding: the payload and the verdict do not depend on how the input is cut.
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http1.h"

using namespace pilotlight::net;

namespace {

struct Result {
  Parse state = Parse::more;
  std::string payload;
  std::size_t consumed = 0;
  bool operator==(const Result&) const = default;
};

Result decode(std::string_view data, std::size_t step) {
  ChunkedDecoder decoder;
  Result result;
  while (result.consumed < data.size()) {
    const auto fed = decoder.feed(data.substr(result.consumed, step));
    result.payload += fed.data;
    result.consumed += fed.consumed;
    result.state = fed.state;
    if (fed.state != Parse::more) break;
    if (fed.consumed == 0) std::abort();
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  if (decode(data, data.size() + 1) != decode(data, 1U + bytes[0] % 16U)) std::abort();
  return 0;
}
