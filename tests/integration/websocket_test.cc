// WebSockets (RFC 6455) of a real client with a real server behind a gateway and a shim.
#include "tests/integration/protocols_fixture.h"

namespace pilotlight::test {
namespace {

enum class Opcode : unsigned char { text = 1, binary = 2, close = 8, ping = 9, pong = 10, none = 255 };

struct Message {
  Opcode opcode = Opcode::none;  ///< none: the connection has ended
  std::string payload{};
  bool operator==(const Message&) const = default;
};

void PrintTo(const Message& message, std::ostream* out) {
  *out << "opcode " << static_cast<int>(message.opcode) << ", " << message.payload.size() << " bytes: " << message.payload.substr(0, 100);
}

/// A client's side: its frames are masked, the server's must not be.
class WebSocketClient {
 public:
  explicit WebSocketClient(int port) : socket_(port) {}

  /// Sends the handshake of RFC 6455 1.2; the answer's head.
  std::string open() {
    socket_.send(
        "GET /p/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    return socket_.readTo("\r\n\r\n");
  }
  void send(Opcode opcode, std::string payload) {
    std::string frame{static_cast<char>(0x80 | static_cast<unsigned char>(opcode))};
    const std::size_t size = payload.size();
    const auto append = [&](int bytes) {
      for (int i = bytes - 1; i >= 0; --i) frame += static_cast<char>(size >> (8 * i) & 0xff);
    };
    if (size < 126) {
      frame += static_cast<char>(0x80 | size);
    } else {
      frame += static_cast<char>(0x80 | (size < 65536 ? 126 : 127));
      append(size < 65536 ? 2 : 8);
    }
    constexpr std::string_view kMask = "\x12\x34\x56\x78";
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(payload[i] ^ kMask[i % 4]);
    socket_.send(frame.append(kMask).append(payload));
  }
  Message receive() {
    const std::string head = socket_.read(2);
    if (head.size() < 2) return {};
    EXPECT_TRUE(head[0] & 0x80) << "final";
    EXPECT_FALSE(head[1] & 0x80) << "a server's frames are not masked";
    std::size_t size = static_cast<unsigned char>(head[1]) & 0x7f;
    if (size >= 126) {
      const std::string length = socket_.read(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : length) size = size << 8 | static_cast<unsigned char>(byte);
    }
    return {static_cast<Opcode>(head[0] & 0x0f), socket_.read(size)};
  }
  Message ask(Opcode opcode, const std::string& payload) {
    send(opcode, payload);
    return receive();
  }
  void closeDirection() { socket_.shutdownWrite(); }
  bool atEnd() { return socket_.atEnd(); }

 private:
  RawSocket socket_;
};

class WebSocketTest : public ProtocolsTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ProtocolsTest::SetUp());
    client.emplace(local.port());
    const std::string head = client->open();
    ASSERT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
    EXPECT_THAT(head, HasSubstr("\r\nUpgrade: websocket\r\n"));
    EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")) << "the server's own, from our key";
  }
  std::optional<WebSocketClient> client;
};

TEST_F(WebSocketTest, MessagesOfEverySizePassBothWays) {
  for (const std::size_t size : {0, 1, 125, 126, 65'535, 65'536, 3'000'000}) {
    const std::string text(size, 'x');
    EXPECT_EQ(client->ask(Opcode::text, text), (Message{Opcode::text, text}));
  }
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7);
  EXPECT_EQ(client->ask(Opcode::binary, bytes), (Message{Opcode::binary, bytes}));
}

TEST_F(WebSocketTest, PingsAreAnsweredInBothDirections) {
  EXPECT_EQ(client->ask(Opcode::ping, "here"), (Message{Opcode::pong, "here"}));
  EXPECT_EQ(client->ask(Opcode::text, "ping me"), (Message{Opcode::ping, "are you there"}));
  EXPECT_EQ(client->ask(Opcode::pong, "yes"), (Message{Opcode::text, "got 10 yes"}));
}

TEST_F(WebSocketTest, AClientThatClosesGetsItsCloseBackAndThenTheEnd) {
  EXPECT_EQ(client->ask(Opcode::close, "\x03\xe8 done"), (Message{Opcode::close, "\x03\xe8 done"}));
  EXPECT_TRUE(client->atEnd() || (client->closeDirection(), client->atEnd()));
  EXPECT_EQ(status(local.get("/p/open/x")), 200);
}

TEST_F(WebSocketTest, AServerThatClosesIsAnsweredAndEndsTheConnection) {
  EXPECT_EQ(client->ask(Opcode::text, "bye"), (Message{Opcode::close,
                                                       "\x03\xe8"
                                                       "bye"}));
  client->send(Opcode::close, "\x03\xe8");
  EXPECT_TRUE(client->atEnd());
}

TEST_F(WebSocketTest, AClientThatHalfClosesStillHearsTheServersLastWords) {
  EXPECT_EQ(client->ask(Opcode::text, "hello"), (Message{Opcode::text, "hello"}));
  client->closeDirection();
  EXPECT_EQ(client->receive(), (Message{Opcode::text, "you have closed"}));
  EXPECT_TRUE(client->atEnd());
}

}  // namespace
}  // namespace pilotlight::test
