// The socket of a connection, perhaps with TLS on it. Loop thread only.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "net/socket.h"
#include "net/tls.h"

namespace pilotlight::net {

class Wire {
 public:
  Wire() = default;
  explicit Wire(Fd fd, std::unique_ptr<Tls> tls = nullptr) : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  bool secure() const { return tls_ != nullptr; }

  /// As recv(). `emptied`: what comes later is a new edge.
  ssize_t receive(char* to, std::size_t room, bool& emptied) {
    if (tls_) return tls_->receive(to, room, emptied);
    const ssize_t got = recv(fd_.get(), to, room, 0);
    emptied = got < static_cast<ssize_t>(room);
    return got;
  }
  /// As sendmsg().
  ssize_t send(const iovec* parts, int count) {
    if (tls_) return tls_->send(parts, count);
    if (count == 1) return ::send(fd_.get(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = static_cast<std::size_t>(count);
    return sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }

  /// Says that nothing follows, with TLS; without there is nothing to say. False: the socket takes no more now.
  bool goodbye() { return !tls_ || tls_->goodbye(); }
  /// Closes our direction, with TLS after a goodbye; if that is held up, with the next onWritable().
  void end();
  void onWritable() {
    if (ending_) end();
  }
  void reset() {
    tls_.reset();
    fd_.reset();
  }

 private:
  Fd fd_;
  bool ending_ = false;
  std::unique_ptr<Tls> tls_;
};

}  // namespace pilotlight::net
