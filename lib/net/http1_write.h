// Writing the lines of HTTP/1.1 heads and trailers.
#pragma once

#include <span>

#include "net/http1.h"
#include "net/out_buffer.h"

namespace pilotlight::net {

/// "name: value" and CRLF for each.
void writeFields(OutBuffer& out, std::span<const Header> fields);

}  // namespace pilotlight::net
