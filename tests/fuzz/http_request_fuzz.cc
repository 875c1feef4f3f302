// A request: however it is cut, it is read alike; what is accepted has views within the input.
#include "fuzz.h"
#include "tests/unit/net/read_request.h"

using namespace pilotlight;
using fuzz::require;

namespace {

// So small that the fuzzer reaches them.
constexpr net::HeadLimits kLimits{.bytes = 400, .targetBytes = 60, .fields = 8};

void requireWithin(std::string_view whole, std::string_view part) {
  if (!part.empty()) require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void checkHead(std::string_view data, const net::RequestHead& head) {
  require(head.size <= data.size() && head.size <= kLimits.bytes && head.headers.size() <= kLimits.fields);
  require(!head.method.empty() && (head.path.starts_with('/') || head.path == "*"));
  for (std::string_view view : {head.method, head.target, head.path, head.query, head.host, head.upgrade}) requireWithin(data, view);
  require(head.target.find_first_of(std::string_view(" \t\r\n\0", 5)) == std::string_view::npos);
  int framings = 0;
  for (const net::Header& field : head.headers) {
    requireWithin(data, field.name);
    requireWithin(data, field.value);
    require(!field.name.empty() && field.name.find_first_of(std::string_view(": \t\r\n\0", 6)) == std::string_view::npos);
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    framings += net::equalsIgnoreCase(field.name, "content-length") || net::equalsIgnoreCase(field.name, "transfer-encoding");
  }
  require(framings <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const fuzz::Input input(bytes, size);
  const net::test::Verdict whole = net::test::readRequest(input.data, input.data.size(), kLimits);
  const net::test::Verdict cut = net::test::readRequest(input.data, 1 + input.control % 64, kLimits);
  require(whole.state == cut.state);
  if (whole.state == net::Parse::done) require(whole == cut);

  static net::RequestHead head, shorter;
  int status = 0;
  const net::Parse parsed = net::parseRequestHead(input.data, kLimits, head, status);
  if (parsed == net::Parse::bad) require(status >= 400 && status < 600);
  if (parsed != net::Parse::done) return 0;
  checkHead(input.data, head);
  require(net::parseRequestHead(input.data.substr(0, head.size), kLimits, shorter, status) == net::Parse::done);
  require(net::parseRequestHead(input.data.substr(0, head.size - 1), kLimits, shorter, status) == net::Parse::more);
  return 0;
}
