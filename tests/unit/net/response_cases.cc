#include "http_cases.h"

namespace pilotlight::net::test {

namespace {

using namespace std::string_literals;
using Cases = std::vector<ResponseCase>;

std::string with(std::string_view fields, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string line(std::string_view statusLine) {
  return std::string(statusLine) + "\r\nContent-Length: 0\r\n\r\n";
}

std::string chunked(std::string_view body) {
  return with("Transfer-Encoding: chunked\r\n", body);
}

Cases statusLines() {
  return {
      {"StatusAlone", line("HTTP/1.1 200"), 200, ""},
      {"EmptyReason", line("HTTP/1.1 200 "), 200, ""},
      {"ReasonBeyondAscii", line("HTTP/1.1 404 g\xc3\xa4\xff"), 404, ""},
      {"UnknownStatus", line("HTTP/1.1 799 Odd"), 799, ""},
      {"Http10", "HTTP/1.0 200 OK\r\n\r\nabc", 200, "abc"},
      {"StatusOfTwoDigits", line("HTTP/1.1 20 OK"), 0, ""},
      {"StatusOfFourDigits", line("HTTP/1.1 2000 OK"), 0, ""},
      {"StatusBelow100", line("HTTP/1.1 099 OK"), 0, ""},
      {"StatusWithLetter", line("HTTP/1.1 2x0 OK"), 0, ""},
      {"NegativeStatus", line("HTTP/1.1 -20 OK"), 0, ""},
      {"TwoBlanksBeforeStatus", line("HTTP/1.1  200 OK"), 0, ""},
      {"TabBeforeStatus", line("HTTP/1.1\t200 OK"), 0, ""},
      {"TabAfterStatus", line("HTTP/1.1 200\tOK"), 0, ""},
      {"VersionInLowerCase", line("http/1.1 200 OK"), 0, ""},
      {"Http2", line("HTTP/2.0 200 OK"), 0, ""},
      {"Http09", "hello", 0, ""},
      {"OtherProtocol", line("ICY 200 OK"), 0, ""},
      {"LeadingEmptyLine", "\r\n" + line("HTTP/1.1 200 OK"), 0, ""},
      {"BareLineFeedAfterReason", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", 0, ""},
      {"BareCarriageReturnInReason", line("HTTP/1.1 200 O\rK"), 0, ""},
      {"ControlInReason", line("HTTP/1.1 200 O\x01K"), 0, ""},
      {"NulInReason", line("HTTP/1.1 200 O\0K"s), 0, ""},
  };
}

Cases framings() {
  const std::string body = "3\r\nabc\r\n0\r\n\r\n";
  return {
      {"Length", with("Content-Length: 3\r\n", "abc"), 200, "abc"},
      {"Chunked", chunked(body), 200, "abc"},
      {"UntilClose", with("X: y\r\n", "abc"), 200, "abc"},
      {"UntilCloseButEmpty", with(""), 200, ""},
      {"NoContentWithLength", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, ""},
      {"NotModifiedWithLength", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""},
      {"NotModifiedChunked", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, ""},
      {"EarlyHintsFirst", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + with("Content-Length: 3\r\n", "abc"), 200, "abc"},
      {"ContinueWithLength", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n" + with("Content-Length: 3\r\n", "abc"), 200, "abc"},
      {"MoreThanTheLength", with("Content-Length: 3\r\n", "abcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), 200, "abc"},
      {"LengthAndChunked", with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", body), 0, ""},
      {"ChunkedAndLength", with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", body), 0, ""},
      {"TwoLengths", with("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 0, ""},
      {"TwoEqualLengths", with("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 0, ""},
      {"ListOfLengths", with("Content-Length: 3, 3\r\n", "abc"), 0, ""},
      {"PositiveLength", with("Content-Length: +3\r\n", "abc"), 0, ""},
      {"HexLength", with("Content-Length: 0x3\r\n", "abc"), 0, ""},
      {"LengthOverflowing64Bits", with("Content-Length: 18446744073709551619\r\n", "abc"), 0, ""},
      {"ChunkedInHttp10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body, 0, ""},
      {"ChunkedThenGzip", with("Transfer-Encoding: chunked, gzip\r\n", body), 0, ""},
      {"GzipThenChunked", with("Transfer-Encoding: gzip, chunked\r\n", body), 0, ""},
      {"AlmostChunked", with("Transfer-Encoding: xchunked\r\n", body), 0, ""},
      {"TwoCodingFields", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body), 0, ""},
      {"SwitchingProtocolsUnasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", 0, ""},
  };
}

Cases fieldsAndBodies() {
  std::string many;
  for (int i = 0; i < 129; ++i) many += "X: y\r\n";
  return {
      {"ChunkExtension", chunked("3;a=b\r\nabc\r\n0\r\n\r\n"), 200, "abc"},
      {"Trailer", chunked("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), 200, "abc"},
      {"ShorterThanTheLength", with("Content-Length: 4\r\n", "abc"), 0, ""},
      {"NoLastChunk", chunked("3\r\nabc\r\n"), 0, ""},
      {"ChunkSizeWithPrefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 0, ""},
      {"ChunkSizeOf64Bits", chunked("ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 0, ""},
      {"LineFeedAfterChunkSize", chunked("3\nabc\r\n0\r\n\r\n"), 0, ""},
      {"NothingAfterChunk", chunked("3\r\nabc0\r\n\r\n"), 0, ""},
      {"TrailerWithoutColon", chunked("3\r\nabc\r\n0\r\nX\r\n\r\n"), 0, ""},
      {"ObsFold", with("Content-Length: 0\r\nX: a\r\n b\r\n"), 0, ""},
      {"BlankBeforeColon", with("Content-Length : 0\r\n"), 0, ""},
      {"NoColon", with("Content-Length: 0\r\nX\r\n"), 0, ""},
      {"BareLineFeed", with("Content-Length: 0\r\nX: a\nSet-Cookie: b=c\r\n"), 0, ""},
      {"BareCarriageReturn", with("Content-Length: 0\r\nX: a\rSet-Cookie: b=c\r\n"), 0, ""},
      {"NulInValue", with("Content-Length: 0\r\nX: a\0b\r\n"s), 0, ""},
      {"ControlInValue", with("Content-Length: 0\r\nX: a\x02\r\n"), 0, ""},
      {"NameBeyondAscii", with("Content-Length: 0\r\n\xc3: a\r\n"), 0, ""},
      {"TooManyFields", with(many), 0, ""},
      {"TooLongHead", with("X: " + std::string(17000, 'y') + "\r\n"), 0, ""},
      {"NoEndOfHead", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 0, ""},
      {"Nothing", "", 0, ""},
  };
}

}  // namespace

std::vector<ResponseCase> responseCases() {
  Cases all;
  for (const Cases& some : {statusLines(), framings(), fieldsAndBodies()}) all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace pilotlight::net::test
