// HTTP/1.1 messages as the load generator and the backend send and read them: only what is needed to find their ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pilotlight::bench {

/// A message to send. A large body is `fileBytes` of a file in memory, which the kernel sends without copying: the load must
/// cost less than what it measures.
struct Message {
  std::string text;  ///< the head, and the body when it is small
  std::size_t fileBytes = 0;

  static constexpr std::size_t kMaxBody = 1 << 20;
  /// `head` without Content-Length and the empty line.
  static Message make(std::string head, std::size_t bodyBytes);
};

/// Sends one message at a time; goes on where the socket was full.
class Sender {
 public:
  enum class Progress { done, blocked, broken };
  void start(const Message& message) { message_ = &message, text_ = file_ = 0; }  ///< which must outlive the sending
  Progress pump(int fd);

 private:
  Progress pumpFile(int fd);

  const Message* message_ = nullptr;
  std::size_t text_ = 0;  // sent
  std::size_t file_ = 0;  // sent
};

/// Reads one message after another; bodies are thrown away.
class MessageReader {
 public:
  explicit MessageReader(bool responses) : responses_(responses) {}

  /// Takes bytes up to the end of the message and returns how many.
  std::size_t take(std::string_view bytes);
  bool complete() const { return state_ == State::complete; }
  bool broken() const { return state_ == State::broken; }
  bool begun() const { return state_ != State::head || !partial_.empty(); }
  /// Body bytes to come that nobody has to look at, and that so many of them were dropped.
  std::size_t droppable() const { return state_ == State::body ? left_ : 0; }
  void drop(std::size_t bytes);
  void reset();

  /// "GET /x HTTP/1.1" or "HTTP/1.1 200 OK"; of a complete message.
  std::string_view startLine() const { return startLine_; }
  int status() const;
  bool closes() const { return closes_; }  ///< the peer said Connection: close

 private:
  enum class State : std::uint8_t { head, body, chunkSize, chunk, trailers, complete, broken };

  std::size_t takeHead(std::string_view bytes);
  std::size_t takeLine(std::string_view bytes);
  void parseHead(std::string_view head);
  void parseField(std::string_view line);
  void endHead();
  void endLine();

  const bool responses_;
  State state_ = State::head;
  bool chunked_ = false, hasLength_ = false, closes_ = false;
  std::size_t left_ = 0;  // of the body or the chunk
  std::string partial_;   // of a head or a line
  std::string startLine_;
};

/// A receive buffer of a fixed size: left to the kernel, runs would differ by how far its tuning has come.
void fixReceiveBuffer(int fd);

/// Drops up to `bytes` bytes that have arrived; as recv() otherwise.
std::ptrdiff_t receiveAndDrop(int fd, std::size_t bytes);

}  // namespace pilotlight::bench
