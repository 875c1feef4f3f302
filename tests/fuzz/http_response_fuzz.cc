// An answer's head, from a replica that may say anything: however it is cut, it is read alike.
#include "fuzz.h"
#include "net/http1.h"

using namespace pilotlight;
using fuzz::require;

namespace {

void checkHead(std::string_view data, const net::ResponseHead& head) {
  require(head.size <= data.size() && head.status >= 100 && head.status <= 999);
  require((head.body == net::BodyKind::tunnel) == (head.status == 101));
  if (head.body == net::BodyKind::length) require(head.length > 0);
  if (head.body == net::BodyKind::untilClose || head.body == net::BodyKind::tunnel) require(!head.keepAlive);
  require(head.reason.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  for (const net::Header& field : head.headers)
    require(!field.name.empty() && field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const fuzz::Input input(bytes, size);
  const bool toHead = input.control & 1;
  static net::ResponseHead whole, cut;
  const net::Parse parsed = net::parseResponseHead(input.data, toHead, whole);
  net::Parse state = net::Parse::more;
  const std::size_t step = 1 + (input.control >> 1);
  for (std::size_t have = 0; state == net::Parse::more && have < input.data.size();) {
    const std::size_t seen = have;
    have = std::min(input.data.size(), have + step);
    state = net::parseResponseHead(input.data.substr(0, have), toHead, cut, seen);
  }
  require(state == parsed);
  if (parsed != net::Parse::done) return 0;
  checkHead(input.data, whole);
  require(cut.status == whole.status && cut.size == whole.size && cut.body == whole.body && cut.length == whole.length &&
          cut.keepAlive == whole.keepAlive && cut.headers.size() == whole.headers.size());
  return 0;
}
