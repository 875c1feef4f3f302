#include "net/wire.h"

namespace pilotlight::net {

ssize_t Wire::send(const iovec* parts, int count) {
  if (tls_) return tls_->send(parts, count);
  if (count == 1) return ::send(fd_.get(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<std::size_t>(count);
  return sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
}

}  // namespace pilotlight::net
