// A peer of HTTP/2 that sends and reads single frames: for what no well-behaved client or server does. Header blocks are
// written by hand and read by nghttp2.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "harness.h"

namespace pilotlight::net::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  std::uint8_t type = 0xff, flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  bool ends() const { return flags & NGHTTP2_FLAG_END_STREAM; }
  /// Of RST_STREAM and GOAWAY.
  std::uint32_t error() const { return number(type == NGHTTP2_GOAWAY ? 4 : 0); }
  std::uint32_t number(std::size_t at) const {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i) value = value << 8 | static_cast<unsigned char>(payload[i]);
    return value;
  }
};

inline std::string bigEndian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// Each field as a literal that no table remembers.
inline std::string block(const Fields& fields) {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (part.size() < 127) {
      text += static_cast<char>(part.size());
    } else {  // an integer with a prefix of 7 bits
      text += static_cast<char>(127);
      std::size_t rest = part.size() - 127;
      for (; rest >= 128; rest >>= 7) text += static_cast<char>(rest % 128 + 128);
      text += static_cast<char>(rest);
    }
    text += part;
  };
  for (const auto& [name, value] : fields) {
    text += '\0';
    add(name);
    add(value);
  }
  return text;
}

inline Fields get(const std::string& path = "/") {
  return {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", path}};
}
inline Fields post(const std::string& path = "/") {
  return {{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", path}};
}

class FramePeer {
 public:
  /// One side of a connection that is there.
  explicit FramePeer(Fd fd) : fd_(std::move(fd)) { nghttp2_hd_inflate_new(&inflater_); }
  /// A client; sends its preface and SETTINGS.
  explicit FramePeer(const Address& to, const std::string& settings = "") : FramePeer(connectTo(to)) {
    sendRaw(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    send(NGHTTP2_SETTINGS, 0, 0, settings);
  }
  ~FramePeer() { nghttp2_hd_inflate_del(inflater_); }
  FramePeer(const FramePeer&) = delete;

  void sendRaw(std::string_view data) {
    while (!data.empty()) {
      const ssize_t n = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      data.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void send(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
    sendRaw(bigEndian(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) +
            bigEndian(stream, 4) + payload);
  }
  void headers(std::uint32_t stream, const Fields& fields, bool end = true) {
    send(NGHTTP2_HEADERS, static_cast<std::uint8_t>(NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0)), stream, block(fields));
  }
  void data(std::uint32_t stream, const std::string& payload, bool end = false) {
    send(NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, stream, payload);
  }
  void reset(std::uint32_t stream, std::uint32_t error = NGHTTP2_CANCEL) { send(NGHTTP2_RST_STREAM, 0, stream, bigEndian(error, 4)); }
  void window(std::uint32_t stream, std::uint32_t more) { send(NGHTTP2_WINDOW_UPDATE, 0, stream, bigEndian(more, 4)); }
  void shutdownWrite() { ::shutdown(fd_.get(), SHUT_WR); }
  void shutdown() { ::shutdown(fd_.get(), SHUT_RDWR); }
  void close() { fd_.reset(); }

  std::string readRaw(std::size_t size) {
    if (!fill(size, seconds(10))) return "";
    std::string text = in_.substr(0, size);
    in_.erase(0, size);
    return text;
  }
  /// The next frame; nothing at the end of the connection, or when none has come in time.
  std::optional<Frame> next(milliseconds within = seconds(10)) {
    constexpr std::size_t kHead = 9;
    if (!fill(kHead, within)) return std::nullopt;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(in_[at])); };
    const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (!fill(kHead + size, within)) return std::nullopt;
    Frame frame{static_cast<std::uint8_t>(byte(3)), static_cast<std::uint8_t>(byte(4)),
                byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8), in_.substr(kHead, size)};
    in_.erase(0, kHead + size);
    return frame;
  }
  /// Skips frames until one of this type comes, for this stream if one is named.
  Frame await(std::uint8_t type, std::optional<std::uint32_t> stream = {}, milliseconds within = seconds(10)) {
    while (const auto frame = next(within))
      if (frame->type == type && (!stream || frame->stream == *stream)) return *frame;
    ADD_FAILURE() << "no frame of type " << int(type);
    return {};
  }
  /// The fields of a HEADERS frame; each must be read, and in order.
  Fields decode(const Frame& frame) {
    Fields fields;
    auto* in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(frame.payload.data()));
    std::size_t left = frame.payload.size();
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
      nghttp2_nv field;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
      if (used < 0) {
        ADD_FAILURE() << "header block";
        return fields;
      }
      in += used;
      left -= static_cast<std::size_t>(used);
      if (flags & NGHTTP2_HD_INFLATE_EMIT)
        fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                            std::string(reinterpret_cast<char*>(field.value), field.valuelen));
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }
  Fields awaitHeaders(std::uint32_t stream) { return decode(await(NGHTTP2_HEADERS, stream)); }
  /// Reads a stream's DATA until its end, or that of the connection.
  std::string awaitBody(std::uint32_t stream) {
    std::string body;
    while (const auto frame = next()) {
      if (frame->stream != stream || frame->type != NGHTTP2_DATA) continue;
      body += frame->payload;
      if (frame->ends()) return body;
    }
    ADD_FAILURE() << "the body has no end";
    return body;
  }
  /// Skips what still comes; true when the connection ends.
  bool atEnd() {
    while (next()) {
    }
    return eof_;
  }

 private:
  static Fd connectTo(const Address& to) {
    const auto address = toSocketAddress(to);
    Fd fd(socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->length), 0);
    const int one = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
  }
  bool fill(std::size_t size, milliseconds within) {
    const auto deadline = Clock::now() + within;
    while (in_.size() < size) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
      pollfd waiter{fd_.get(), POLLIN, 0};
      if (left.count() <= 0 || poll(&waiter, 1, static_cast<int>(left.count())) <= 0) return false;
      char buffer[65536];
      const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) {
        eof_ = true;
        return false;
      }
      in_.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }

  Fd fd_;
  std::string in_;
  bool eof_ = false;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

/// A listener whose connections the test answers by frames.
class FrameServer {
 public:
  FrameServer() : listener_(*listenTcp({"127.0.0.1", 0})), address(localAddress(listener_.get())) {}
  std::unique_ptr<FramePeer> accept(const std::string& settings = "") {
    pollfd waiter{listener_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&waiter, 1, 10'000), 1);
    auto peer = std::make_unique<FramePeer>(Fd(::accept(listener_.get(), nullptr, nullptr)));
    EXPECT_EQ(peer->readRaw(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer->send(NGHTTP2_SETTINGS, 0, 0, settings);
    return peer;
  }

 private:
  Fd listener_;

 public:
  const Address address;
};

inline std::string valueOf(const Fields& fields, std::string_view name) {
  for (const auto& [known, value] : fields)
    if (known == name) return value;
  return "(none)";
}

inline std::string setting(std::uint16_t id, std::uint32_t value) {
  return bigEndian(id, 2) + bigEndian(value, 4);
}

}  // namespace pilotlight::net::test
