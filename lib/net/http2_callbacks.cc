#include "net/http2_callbacks.h"

#include <new>

#include "net/http2_stream.h"

namespace pilotlight::net {

namespace {

// Http2Guard's limits come first; nghttp2's own are the second line.
constexpr std::uint64_t kResetBurst = 10'000, kResetsPerSecond = 1'000;
constexpr std::size_t kUnsentAcks = 10'000;

Http2Session& sessionOf(void* data) {
  return *static_cast<Http2Session*>(data);
}

/// Null when it is nobody's: the stream has ended, or was refused.
Http2Stream* streamOf(nghttp2_session* native, std::int32_t id) {
  auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(native, id));
  return stream && !stream->over() ? stream : nullptr;
}

ssize_t onRead(nghttp2_session* native, std::int32_t id, std::uint8_t*, std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
               void*) {
  auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(native, id));
  return stream ? stream->offer(room, flags) : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

}  // namespace

struct Http2Callbacks {
  /// An application's callback may have closed the connection: then nghttp2 must stop.
  static int unlessClosed(const Http2Session& session) { return session.closed() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0; }

  /// The first verdict counts; it is carried out when nghttp2 has read what there is.
  static void note(Http2Session& session, std::uint32_t error) {
    if (session.verdict_ == NGHTTP2_NO_ERROR) session.verdict_ = error;
  }

  static int onBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* data) {
    Http2Session& session = sessionOf(data);
    note(session, session.guard_.onFrame(*head, session.loop_.now()));
    return 0;
  }

  static int onInvalidFrame(nghttp2_session*, const nghttp2_frame*, int, void* data) {
    Http2Session& session = sessionOf(data);
    note(session, session.guard_.onInvalidFrame(session.loop_.now()));
    return 0;
  }

  static int onBeginHeaders(nghttp2_session* native, const nghttp2_frame* frame, void* data) {
    if (frame->hd.type != NGHTTP2_HEADERS) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // a push, which nobody wants
    Http2Session& session = sessionOf(data);
    session.blockSince_ = session.loop_.now();
    session.watch();
    Http2Stream* stream = streamOf(native, frame->hd.stream_id);
    if (!stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      session.guard_.opened(frame->hd.stream_id);
      stream = session.accept(frame->hd.stream_id);
      nghttp2_session_set_stream_user_data(native, frame->hd.stream_id, stream);
    }
    if (stream) stream->beginFields();
    return 0;
  }

  static int onHeader(nghttp2_session* native, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t, void*) {
    Http2Stream* stream = streamOf(native, frame->hd.stream_id);
    if (!stream || stream->onField(name, value)) return 0;
    return refuse(native, frame->hd.stream_id);
  }

  /// nghttp2 would leave the field out: what could be read in two ways is refused.
  static int onInvalidHeader(nghttp2_session* native, const nghttp2_frame* frame, nghttp2_rcbuf*, nghttp2_rcbuf*, std::uint8_t, void*) {
    return refuse(native, frame->hd.stream_id);
  }

  static int refuse(nghttp2_session* native, std::int32_t id) {
    nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int onData(nghttp2_session* native, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size, void* data) {
    Http2Session& session = sessionOf(data);
    if (Http2Stream* stream = streamOf(native, id))
      stream->receive({reinterpret_cast<const char*>(bytes), size});
    else
      nghttp2_session_consume(native, id, size);
    return unlessClosed(session);
  }

  static int onFrame(nghttp2_session* native, const nghttp2_frame* frame, void* data) {
    Http2Session& session = sessionOf(data);
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && frame->hd.type <= NGHTTP2_HEADERS;
    const bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    Http2Stream* stream = streamOf(native, frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.blockSince_ = Clock::time_point::max();
        if (stream) stream->onFields(last);
        break;
      case NGHTTP2_DATA:
        if (stream && last) stream->receiveEnd();
        break;
      case NGHTTP2_SETTINGS:
        if (!ack) session.onPeerSettings();
        break;
      case NGHTTP2_PING:
        if (ack) session.onPingAnswered();
        break;
      case NGHTTP2_GOAWAY:
        session.onPeerGoaway();
        break;
      default:
        break;
    }
    return unlessClosed(session);
  }

  static int onFrameSent(nghttp2_session* native, const nghttp2_frame* frame, void* data) {
    Http2Session& session = sessionOf(data);
    if (frame->hd.type == NGHTTP2_GOAWAY) session.onGoawaySent(frame->goaway.error_code);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Http2Stream* stream = streamOf(native, frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) stream->onFieldsSent(frame->hd.length);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) stream->onEndSent();
    return 0;
  }

  /// Fields that are too many to send: what depends on them can't go on.
  static int onFrameNotSent(nghttp2_session* native, const nghttp2_frame* frame, int error, void*) {
    if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_FRAME_SIZE_ERROR)
      nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
    return 0;
  }

  static int onStreamClose(nghttp2_session* native, std::int32_t id, std::uint32_t error, void* data) {
    Http2Session& session = sessionOf(data);
    session.blockSince_ = Clock::time_point::max();
    Http2Stream* stream = streamOf(native, id);
    note(session, session.guard_.onStreamClosed(error != NGHTTP2_NO_ERROR && stream, session.loop_.now()));
    if (stream) stream->onClosed(error);
    return unlessClosed(session);
  }

  static int onSendData(nghttp2_session* native, nghttp2_frame* frame, const std::uint8_t* frameHead, std::size_t size,
                        nghttp2_data_source*, void* data) {
    auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(native, frame->hd.stream_id));
    return stream ? sessionOf(data).sendPart(*stream, frameHead, size) : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* all = nullptr;
    if (nghttp2_session_callbacks_new(&all) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(all, onBeginFrame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(all, onInvalidFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(all, onBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback2(all, onHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(all, onInvalidHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, onData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(all, onFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(all, onFrameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(all, onFrameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(all, onStreamClose);
    nghttp2_session_callbacks_set_send_data_callback(all, onSendData);
    return all;
  }
};

namespace {

nghttp2_option* makeOptions() {
  nghttp2_option* options = nullptr;
  if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_max_outbound_ack(options, kUnsentAcks);
  nghttp2_option_set_stream_reset_rate_limit(options, kResetBurst, kResetsPerSecond);
  return options;
}

}  // namespace

nghttp2_session* makeHttp2Session(Http2Session::Role role, Http2Session& session) {
  static nghttp2_session_callbacks* const callbacks = Http2Callbacks::make();  // copied into each session
  static nghttp2_option* const options = makeOptions();
  nghttp2_session* native = nullptr;
  const int failed = role == Http2Session::Role::server ? nghttp2_session_server_new2(&native, callbacks, &session, options)
                                                        : nghttp2_session_client_new2(&native, callbacks, &session, options);
  if (failed != 0) throw std::bad_alloc();
  return native;
}

nghttp2_data_provider http2Body() {
  nghttp2_data_provider provider{};
  provider.read_callback = onRead;
  return provider;
}

}  // namespace pilotlight::net
