// Messages that a proxy must read as everybody else does, or refuse: for the parser, a server on a socket, a client, and the
// comparison with nginx.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::net::test {

/// What comes first on a connection, whole: one request, or what pretends to be one.
struct RequestCase {
  const char* name;
  std::string bytes;
  int status = 0;    ///< of the refusal; 0: it is taken
  std::string seen;  ///< when taken: "METHOD target body"
};

/// An answer to GET, and what the peer sends with it before it closes the connection.
struct ResponseCase {
  const char* name;
  std::string bytes;
  int status = 0;  ///< as it is passed on; 0: refused
  std::string body;
};

std::vector<RequestCase> requestCases();
std::vector<ResponseCase> responseCases();

/// What a header line of a request is put into.
std::string requestWith(std::string_view fields, std::string_view body = "");
/// A request with a chunked body as given.
std::string chunkedRequest(std::string_view body);

}  // namespace pilotlight::net::test
