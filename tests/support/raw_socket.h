// A blocking TCP client that sends and reads bytes as they are, each read with a deadline.
// Thread-safety: one thread may send while another reads.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace pilotlight::test {

class RawSocket {
 public:
  explicit RawSocket(int port, std::chrono::milliseconds patience = std::chrono::seconds(20));
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool send(std::string_view data);  ///< false: the other side takes no more
  void shutdownWrite();
  /// Up to and with `end`; what comes behind it stays for the next read. All that came when the connection or the patience ends
  /// before.
  std::string readTo(std::string_view end);
  std::string read(std::size_t size);  ///< fewer: the connection or the patience has ended
  std::string readAll();               ///< to the end of the connection
  bool atEnd();                        ///< nothing more comes, and the other side has closed; waits for it
  /// Reads and drops; how many bytes came until `size` of them have, or the connection or the patience ended.
  std::size_t skip(std::size_t size);

 private:
  bool fill();
  std::string take(std::size_t size);

  int fd_;
  std::chrono::milliseconds patience_;
  std::string in_;
  bool ended_ = false;
};

}  // namespace pilotlight::test
