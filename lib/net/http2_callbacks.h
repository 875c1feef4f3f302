// What nghttp2 calls: from here to Http2Session and its streams. Internal to lib/net.
#pragma once

#include "net/http2_session.h"

namespace pilotlight::net {

/// A new nghttp2 session with our callbacks and options.
nghttp2_session* makeHttp2Session(Http2Session::Role role, Http2Session& session);
/// Takes a message's body from the Http2Stream that is the stream's user data.
nghttp2_data_provider http2Body();

}  // namespace pilotlight::net
