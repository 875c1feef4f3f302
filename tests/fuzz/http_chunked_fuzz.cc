// Chunked coding: payload, trailers and verdict do not depend on how the input is cut.
#include <string>

#include "fuzz.h"
#include "net/http1.h"

using namespace pilotlight;
using fuzz::require;

namespace {

struct Result {
  net::Parse state = net::Parse::more;
  std::string payload, trailers;
  std::size_t consumed = 0;
  bool operator==(const Result&) const = default;
};

template <class NextPart>
Result decode(net::ChunkedDecoder& decoder, std::string_view data, NextPart nextPart) {
  decoder.reset();
  Result result;
  while (!data.empty() && result.state == net::Parse::more) {
    const auto fed = decoder.feed(nextPart(data));
    require(fed.consumed > 0);
    result.payload += fed.data;
    result.consumed += fed.consumed;
    result.state = fed.state;
    data.remove_prefix(fed.consumed);
  }
  if (result.state == net::Parse::done) result.trailers = decoder.trailerText();
  return result;
}

void checkTrailers(const std::string& text) {
  net::Headers trailers;
  require(text.size() <= 9000 && net::parseTrailers(text, trailers));
  for (const net::Header& field : trailers) {
    require(!net::equalsIgnoreCase(field.name, "content-length") && !net::equalsIgnoreCase(field.name, "transfer-encoding") &&
            !net::equalsIgnoreCase(field.name, "host"));
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const fuzz::Input input(bytes, size);
  net::ChunkedDecoder decoder;
  const Result whole = decode(decoder, input.data, [](std::string_view rest) { return rest; });
  require(whole.payload.size() <= input.data.size());
  fuzz::Cuts cuts(input);
  require(decode(decoder, input.data, [&](std::string_view rest) { return cuts.next(rest); }) == whole);
  require(decode(decoder, input.data, [](std::string_view rest) { return rest.substr(0, 1); }) == whole);
  if (whole.state == net::Parse::done) checkTrailers(whole.trailers);

  // Trailers may come from elsewhere too: nothing that is refused is half read.
  net::Headers trailers;
  net::parseTrailers(input.data, trailers);
  return 0;
}
