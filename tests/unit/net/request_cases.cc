#include "http_cases.h"

namespace pilotlight::net::test {

namespace {

using namespace std::string_literals;
using Cases = std::vector<RequestCase>;

std::string line(std::string_view requestLine) {
  return std::string(requestLine) + "\r\nHost: a\r\n\r\n";
}

std::string hosts(std::string_view fields) {
  return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

Cases lengths() {
  return {
      {"Length", requestWith("Content-Length: 3\r\n", "abc"), 0, "POST / abc"},
      {"LengthWithLeadingZeros", requestWith("Content-Length: 003\r\n", "abc"), 0, "POST / abc"},
      {"LengthBetweenBlanks", requestWith("Content-Length:\t 3 \t\r\n", "abc"), 0, "POST / abc"},
      {"LengthZero", requestWith("Content-Length: 0\r\n"), 0, "POST / "},
      {"NameInAnyCase", requestWith("cOnTeNt-lEnGtH: 3\r\n", "abc"), 0, "POST / abc"},
      {"LengthWithUnderscore", requestWith("Content_Length: 30\r\n"), 0, "POST / "},
      {"ConnectionThatNamesTheLength", requestWith("Connection: content-length\r\nContent-Length: 3\r\n", "abc"), 0, "POST / abc"},
      {"LengthAndChunked", requestWith("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
      {"ChunkedAndLength", requestWith("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400, ""},
      {"LengthZeroAndChunked", requestWith("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
      {"TwoLengths", requestWith("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400, ""},
      {"TwoEqualLengths", requestWith("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400, ""},
      {"ListOfLengths", requestWith("Content-Length: 3, 3\r\n", "abc"), 400, ""},
      {"ListOfLengthsWithoutBlank", requestWith("Content-Length: 3,3\r\n", "abc"), 400, ""},
      {"EmptyLength", requestWith("Content-Length:\r\n"), 400, ""},
      {"PositiveLength", requestWith("Content-Length: +3\r\n", "abc"), 400, ""},
      {"NegativeLength", requestWith("Content-Length: -3\r\n", "abc"), 400, ""},
      {"HexLength", requestWith("Content-Length: 0x3\r\n", "abc"), 400, ""},
      {"FractionalLength", requestWith("Content-Length: 3.0\r\n", "abc"), 400, ""},
      {"LengthWithBlankInside", requestWith("Content-Length: 1 0\r\n", "abc"), 400, ""},
      {"LengthWithVerticalTab", requestWith("Content-Length: \v3\r\n", "abc"), 400, ""},
      {"LengthWithNoBreakSpace", requestWith("Content-Length: 3\xa0\r\n", "abc"), 400, ""},
      {"LengthWithNul", requestWith("Content-Length: 3\0\r\n"s, "abc"), 400, ""},
      {"LengthOverflowing64Bits", requestWith("Content-Length: 18446744073709551619\r\n", "abc"), 400, ""},
      {"LengthOfManyDigits", requestWith("Content-Length: " + std::string(300, '0') + "3\r\n", "abc"), 400, ""},
  };
}

Cases codings() {
  const std::string body = "3\r\nabc\r\n0\r\n\r\n";
  const auto coded = [&](std::string_view value) { return requestWith("Transfer-Encoding:" + std::string(value) + "\r\n", body); };
  return {
      {"Chunked", coded(" chunked"), 0, "POST / abc"},
      {"ChunkedInUpperCase", coded(" CHUNKED"), 0, "POST / abc"},
      {"ChunkedBetweenBlanks", coded("\tchunked \t"), 0, "POST / abc"},
      {"CodingWithUnderscore", requestWith("Transfer_Encoding: chunked\r\n"), 0, "POST / "},
      {"ChunkedThenGzip", coded(" chunked, gzip"), 400, ""},
      {"GzipThenChunked", coded(" gzip, chunked"), 501, ""},
      {"GzipThenChunkedWithoutBlank", coded(" gzip,chunked"), 501, ""},
      {"ChunkedTwice", coded(" chunked, chunked"), 501, ""},
      {"ChunkedThenNothing", coded(" chunked,"), 400, ""},
      {"NothingThenChunked", coded(" ,chunked"), 501, ""},
      {"Gzip", coded(" gzip"), 400, ""},
      {"Identity", coded(" identity"), 400, ""},
      {"NoCoding", coded(""), 400, ""},
      {"AlmostChunked", coded(" xchunked"), 400, ""},
      {"ChunkedWithParameter", coded(" chunked;q=1"), 400, ""},
      {"QuotedChunked", coded(" \"chunked\""), 400, ""},
      {"ChunkedWithVerticalTab", coded(" chunked\v"), 400, ""},
      {"ChunkedWithNul", coded(" chunked\0"s), 400, ""},
      {"ChunkedInTwoWords", coded(" chun ked"), 400, ""},
      {"TwoCodingFields", requestWith("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body), 400, ""},
      {"IdentityAndChunkedFields", requestWith("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", body), 400, ""},
      {"ChunkedInHttp10", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body, 400, ""},
      {"BlankBeforeColonOfCoding", requestWith("Transfer-Encoding : chunked\r\n", body), 400, ""},
      {"TabBeforeColonOfCoding", requestWith("Transfer-Encoding\t: chunked\r\n", body), 400, ""},
      {"FoldedCoding", requestWith("Transfer-Encoding:\r\n chunked\r\n", body), 400, ""},
      {"CodingInAFoldedLine", requestWith("X: y\r\n Transfer-Encoding: chunked\r\n", body), 400, ""},
  };
}

Cases chunks() {
  return {
      {"ChunksOfAnyCase", chunkedRequest("A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"), 0, "POST / 01234567890123456789a"},
      {"ChunkSizeWithLeadingZeros", chunkedRequest("003\r\nabc\r\n000\r\n\r\n"), 0, "POST / abc"},
      {"ChunkExtension", chunkedRequest("3;a=b\r\nabc\r\n0;last\r\n\r\n"), 0, "POST / abc"},
      {"QuotedChunkExtension", chunkedRequest("3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n"), 0, "POST / abc"},
      {"Trailer", chunkedRequest("3\r\nabc\r\n0\r\nX-Checksum: 1\r\n\r\n"), 0, "POST / abc"},
      {"TrailerThatWouldFrame", chunkedRequest("3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n"), 0, "POST / abc"},
      {"LongChunkExtension", chunkedRequest("3;" + std::string(20000, 'a') + "\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"LineFeedInChunkExtension", chunkedRequest("3;a\nabc\r\n0\r\n\r\n"), 400, ""},
      {"CarriageReturnInChunkExtension", chunkedRequest("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"NulInChunkExtension", chunkedRequest("3;a\0b\r\nabc\r\n0\r\n\r\n"s), 400, ""},
      {"NoChunkSize", chunkedRequest("\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"ChunkSizeWithPrefix", chunkedRequest("0x3\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"PositiveChunkSize", chunkedRequest("+3\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"NegativeChunkSize", chunkedRequest("-3\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"BlankBeforeChunkSize", chunkedRequest(" 3\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"BlankAfterChunkSize", chunkedRequest("3 \r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"BlankBeforeChunkExtension", chunkedRequest("3 ;a\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"TabAfterChunkSize", chunkedRequest("3\t\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"LetterInChunkSize", chunkedRequest("3g\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"ChunkSizeOverflowing64Bits", chunkedRequest("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"ChunkSizeOf64Bits", chunkedRequest("ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"ChunkSizeOfManyZeros", chunkedRequest(std::string(300, '0') + "3\r\nabc\r\n0\r\n\r\n"), 400, ""},
      {"LineFeedAfterChunkSize", chunkedRequest("3\nabc\r\n0\r\n\r\n"), 400, ""},
      {"CarriageReturnAfterChunkSize", chunkedRequest("3\rabc\r\n0\r\n\r\n"), 400, ""},
      {"AnotherByteForLineFeedAfterChunkSize", chunkedRequest("3\rxabc\r\n0\r\n\r\n"), 400, ""},
      {"AnotherByteForCarriageReturnAfterChunk", chunkedRequest("3\r\nabcx\n0\r\n\r\n"), 400, ""},
      {"AnotherByteForLineFeedAfterChunk", chunkedRequest("3\r\nabc\rx0\r\n\r\n"), 400, ""},
      {"LineFeedAfterChunk", chunkedRequest("3\r\nabc\n0\r\n\r\n"), 400, ""},
      {"NothingAfterChunk", chunkedRequest("3\r\nabc0\r\n\r\n"), 400, ""},
      {"ChunkLongerThanItsSize", chunkedRequest("3\r\nabcd\r\n0\r\n\r\n"), 400, ""},
      {"LineFeedAfterLastChunk", chunkedRequest("3\r\nabc\r\n0\n\r\n"), 400, ""},
      {"LineFeedAtTheEnd", chunkedRequest("3\r\nabc\r\n0\r\n\n"), 400, ""},
      {"CarriageReturnAtTheEnd", chunkedRequest("3\r\nabc\r\n0\r\n\rx"), 400, ""},
      {"TrailerWithoutColon", chunkedRequest("3\r\nabc\r\n0\r\nX\r\n\r\n"), 400, ""},
      {"BlankBeforeColonInTrailer", chunkedRequest("3\r\nabc\r\n0\r\nX : y\r\n\r\n"), 400, ""},
      {"FoldedTrailer", chunkedRequest("3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"), 400, ""},
      {"NulInTrailer", chunkedRequest("3\r\nabc\r\n0\r\nX: \0y\r\n\r\n"s), 400, ""},
      {"LineFeedInTrailer", chunkedRequest("3\r\nabc\r\n0\r\nX: y\nZ: z\r\n\r\n"), 400, ""},
      {"LongTrailer", chunkedRequest("3\r\nabc\r\n0\r\nX: " + std::string(9000, 'y') + "\r\n\r\n"), 400, ""},
  };
}

Cases fields() {
  const auto field = [](std::string_view text) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(text) + "\r\n"; };
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  return {
      {"EmptyValue", field("X:\r\n"), 0, "GET / "},
      {"ColonInValue", field("X: a:b\r\n"), 0, "GET / "},
      {"BytesBeyondAscii", field("X: \xc3\xa4\xff\r\n"), 0, "GET / "},
      {"EveryPunctuationOfAName", field("!#$%&'*+-.^_`|~09azAZ: y\r\n"), 0, "GET / "},
      {"TabInValue", field("X: a\tb\r\n"), 0, "GET / "},
      {"BlankBeforeColon", field("X : y\r\n"), 400, ""},
      {"TabBeforeColon", field("X\t: y\r\n"), 400, ""},
      {"BlankInName", field("X Y: z\r\n"), 400, ""},
      {"EmptyName", field(": y\r\n"), 400, ""},
      {"NoColon", field("X\r\n"), 400, ""},
      {"BracketInName", field("X(Y): z\r\n"), 400, ""},
      {"NameBeyondAscii", field("H\xc3\xb6st: z\r\n"), 400, ""},
      {"ObsFold", field("X: y\r\n z\r\n"), 400, ""},
      {"ObsFoldWithTab", field("X: y\r\n\tz\r\n"), 400, ""},
      {"BlankLineThatIsNotEmpty", field("X: y\r\n \r\n"), 400, ""},
      {"FirstFieldFolded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, ""},
      {"NulInName", field("X\0: y\r\n"s), 400, ""},
      {"NulInValue", field("X: a\0b\r\n"s), 400, ""},
      {"NulInLongValue", field("X: 0123456789abcdef0123456789abcdef\0b\r\n"s), 400, ""},
      {"ControlInValue", field("X: a\x01\r\n"), 400, ""},
      {"EscapeInValue", field("X: \x1b[0m\r\n"), 400, ""},
      {"DeleteInValue", field("X: a\x7f\r\n"), 400, ""},
      {"FormFeedInValue", field("X: a\fb\r\n"), 400, ""},
      {"ControlBeforeLineFeed", field("X: a\x01\n"), 400, ""},
      {"BareCarriageReturn", field("X: a\rY: b\r\n"), 400, ""},
      {"BareCarriageReturnAndAByte", field("X: a\r Y: b\r\n"), 400, ""},
      {"BareCarriageReturnInName", field("X\rY: b\r\n"), 400, ""},
      {"TwoCarriageReturns", field("X: a\r\r\n"), 400, ""},
      {"BareLineFeed", field("X: a\nY: b\r\n"), 400, ""},
      {"BareLineFeedBeforeEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, ""},
      {"BareLineFeeds", "GET / HTTP/1.1\nHost: a\n\n", 400, ""},
      {"CarriageReturnsOnly", "GET / HTTP/1.1\rHost: a\r\r\n\n", 400, ""},
      {"TooManyFields", field(many), 431, ""},
      {"TooLongHead", field("X: " + std::string(17000, 'y') + "\r\n"), 431, ""},
      {"UnknownExpectation", field("Expect: 200-maybe\r\n"), 417, ""},
      {"TwoExpectations", field("Expect: 100-continue, x\r\n"), 417, ""},
  };
}

Cases requestLines() {
  return {
      {"LeadingEmptyLine", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, "GET / "},
      {"UnknownMethod", line("PURGE / HTTP/1.1"), 0, "PURGE / "},
      {"MethodOfTwoWords", line("M-SEARCH / HTTP/1.1"), 0, "M-SEARCH / "},
      {"MethodInLowerCase", line("get / HTTP/1.1"), 400, ""},
      {"MethodWithPunctuation", line("M-SEARCH!~ / HTTP/1.1"), 400, ""},
      {"MethodBehindARest", line("abcGET / HTTP/1.1"), 400, ""},
      {"TwoLeadingEmptyLines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
      {"LeadingLineFeed", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
      {"LeadingCarriageReturn", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
      {"LeadingBlank", line(" GET / HTTP/1.1"), 400, ""},
      {"TrailingBlank", line("GET / HTTP/1.1 "), 400, ""},
      {"TwoBlanksBeforeTarget", line("GET  / HTTP/1.1"), 400, ""},
      {"TwoBlanksBeforeVersion", line("GET /  HTTP/1.1"), 400, ""},
      {"TabBeforeTarget", line("GET\t/ HTTP/1.1"), 400, ""},
      {"TabBeforeVersion", line("GET /\tHTTP/1.1"), 400, ""},
      {"BlankInTarget", line("GET /a b HTTP/1.1"), 400, ""},
      {"BareLineFeedAfterVersion", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, ""},
      {"NoTarget", line("GET HTTP/1.1"), 400, ""},
      {"NoVersion", line("GET /"), 400, ""},
      {"VersionInLowerCase", line("GET / http/1.1"), 400, ""},
      {"VersionOfTwoDigits", line("GET / HTTP/1.10"), 400, ""},
      {"VersionWithLeadingZero", line("GET / HTTP/01.1"), 400, ""},
      {"VersionWithoutMinor", line("GET / HTTP/1"), 400, ""},
      {"AnotherProtocol", line("GET / HTTPS/1.1"), 400, ""},
      {"Http09", line("GET / HTTP/0.9"), 505, ""},
      {"Http12", line("GET / HTTP/1.2"), 505, ""},
      {"Http20", line("GET / HTTP/2.0"), 505, ""},
      {"Http30", line("GET / HTTP/3.0"), 505, ""},
      {"PrefaceOfHttp2WithHost", line("PRI * HTTP/2.0"), 505, ""},
      {"BracketInMethod", line("G(T / HTTP/1.1"), 400, ""},
      {"NulInMethod", line("GE\0T / HTTP/1.1"s), 400, ""},
      {"LongMethod", line(std::string(33, 'A') + " / HTTP/1.1"), 400, ""},
      {"Connect", line("CONNECT a:80 HTTP/1.1"), 501, ""},
      {"TooLongTarget", line("GET /" + std::string(9000, 'a') + " HTTP/1.1"), 414, ""},
  };
}

Cases targets() {
  return {
      {"Query", line("GET /a/b?c=d&e HTTP/1.1"), 0, "GET /a/b?c=d&e "},
      {"TwoSlashes", line("GET //evil/x HTTP/1.1"), 0, "GET //evil/x "},
      {"Backslash", line("GET /\\evil\\x HTTP/1.1"), 0, "GET /\\evil\\x "},
      {"EncodedNul", line("GET /a%00b HTTP/1.1"), 0, "GET /a%00b "},
      {"BadPercentEncoding", line("GET /a%zz HTTP/1.1"), 0, "GET /a%zz "},
      {"TargetBeyondAscii", line("GET /\xc3\xa4 HTTP/1.1"), 0, "GET /\xc3\xa4 "},
      {"UrlInQuery", line("GET /?u=http://b/ HTTP/1.1"), 0, "GET /?u=http://b/ "},
      {"AbsoluteForm", line("GET http://a/x?y HTTP/1.1"), 0, "GET /x?y "},
      {"Fragment", line("GET /#x HTTP/1.1"), 400, ""},
      {"NulInTarget", line("GET /\0x HTTP/1.1"s), 400, ""},
      {"ControlInTarget", line("GET /\x01 HTTP/1.1"), 400, ""},
      {"DeleteInTarget", line("GET /\x7f HTTP/1.1"), 400, ""},
      {"CarriageReturnInTarget", line("GET /\rx HTTP/1.1"), 400, ""},
      {"Star", line("GET * HTTP/1.1"), 400, ""},
      {"RelativeTarget", line("GET x HTTP/1.1"), 400, ""},
      {"QueryOnly", line("GET ?x HTTP/1.1"), 400, ""},
      {"Authority", line("GET a:80 HTTP/1.1"), 400, ""},
      {"OtherAuthorityThanHost", line("GET http://b/x HTTP/1.1"), 400, ""},
      {"OtherPortThanHost", line("GET http://a:80/x HTTP/1.1"), 400, ""},
      {"UserInfo", line("GET http://a@a/x HTTP/1.1"), 400, ""},
      {"UserInfoOfOtherHost", line("GET http://a@b/x HTTP/1.1"), 400, ""},
      {"SchemeInUpperCase", line("GET HTTP://a/x HTTP/1.1"), 400, ""},
      {"SchemeHttps", line("GET https://a/x HTTP/1.1"), 400, ""},
      {"SchemeFtp", line("GET ftp://a/x HTTP/1.1"), 400, ""},
      {"AbsoluteFormWithoutPath", line("GET http://a HTTP/1.1"), 400, ""},
      {"AbsoluteFormWithoutPathButQuery", line("GET http://a?x HTTP/1.1"), 400, ""},
      {"AbsoluteFormWithoutAuthority", line("GET http:///x HTTP/1.1"), 400, ""},
      {"AbsoluteFormWithOneSlash", line("GET http:/a/x HTTP/1.1"), 400, ""},
      {"BackslashInAuthority", line("GET http://a\\b/x HTTP/1.1"), 400, ""},
      {"EncodedSlashInAuthority", line("GET http://a%2fb/x HTTP/1.1"), 400, ""},
  };
}

Cases hostFields() {
  return {
      {"ConnectionThatNamesTheHost", hosts("Connection: host\r\nHost: a\r\n"), 0, "GET / "},
      {"HostWithPort", hosts("Host: a:8080\r\n"), 0, "GET / "},
      {"HostWithEmptyPort", hosts("Host: a:\r\n"), 0, "GET / "},
      {"HostInUpperCase", hosts("HOST: A\r\n"), 0, "GET / "},
      {"HostWithTrailingDot", hosts("Host: a.\r\n"), 0, "GET / "},
      {"HostWithTwoDots", hosts("Host: a..b\r\n"), 0, "GET / "},
      {"HostOfIpv6", hosts("Host: [::1]:80\r\n"), 0, "GET / "},
      {"Http10WithoutHost", "GET / HTTP/1.0\r\n\r\n", 0, "GET / "},
      {"NoHost", hosts("X: y\r\n"), 400, ""},
      {"EmptyHost", hosts("Host:\r\n"), 400, ""},
      {"BlankHost", hosts("Host: \t\r\n"), 400, ""},
      {"TwoHosts", hosts("Host: a\r\nHost: b\r\n"), 400, ""},
      {"TwoEqualHosts", hosts("Host: a\r\nHost: a\r\n"), 400, ""},
      {"BlankBeforeColonOfHost", hosts("Host : a\r\n"), 400, ""},
      {"HostWithBlank", hosts("Host: a b\r\n"), 400, ""},
      {"HostWithSlash", hosts("Host: a/b\r\n"), 400, ""},
      {"HostWithBackslash", hosts("Host: a\\b\r\n"), 400, ""},
      {"HostWithUser", hosts("Host: a@b\r\n"), 400, ""},
      {"HostWithQuery", hosts("Host: a?b\r\n"), 400, ""},
      {"HostWithFragment", hosts("Host: a#b\r\n"), 400, ""},
      {"HostWithComma", hosts("Host: a,b\r\n"), 400, ""},
      {"HostWithQuote", hosts("Host: \"a\"\r\n"), 400, ""},
      {"HostWithPercent", hosts("Host: a%00b\r\n"), 400, ""},
      {"HostWithNul", hosts("Host: a\0b\r\n"s), 400, ""},
      {"HostBeyondAscii", hosts("Host: \xc3\xa4\r\n"), 400, ""},
      {"HostWithBadPort", hosts("Host: a:80x\r\n"), 400, ""},
      {"HostWithTwoPorts", hosts("Host: a:80:90\r\n"), 400, ""},
      {"HostOfPortOnly", hosts("Host: :80\r\n"), 400, ""},
      {"HostOfOpenBracket", hosts("Host: [::1\r\n"), 400, ""},
      {"HostOfIpv6WithoutBrackets", hosts("Host: ::1\r\n"), 400, ""},
      {"HostAfterBracket", hosts("Host: [::1]a\r\n"), 400, ""},
      {"LongHost", hosts("Host: " + std::string(256, 'a') + "\r\n"), 400, ""},
      {"HostAsUrl", hosts("Host: http://a/\r\n"), 400, ""},
  };
}

}  // namespace

std::string requestWith(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string chunkedRequest(std::string_view body) {
  return requestWith("Transfer-Encoding: chunked\r\n", body);
}

std::vector<RequestCase> requestCases() {
  Cases all;
  for (const Cases& some : {lengths(), codings(), chunks(), fields(), requestLines(), targets(), hostFields()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace pilotlight::net::test
