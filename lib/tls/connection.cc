#include "tls/connection.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace pilotlight::tls {

namespace {

constexpr std::size_t kRecord = SSL3_RT_MAX_PLAIN_LENGTH;
/// Messages of TLS itself that a client may send after the handshake, of which each costs us more than the client: one more for each
/// KiB of data.
constexpr int kPatience = 32;

net::TlsOutcome outcomeOf(unsigned long error) {
  using net::TlsOutcome;
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return error == 0 ? TlsOutcome::gone : TlsOutcome::broken;
  switch (const int reason = ERR_GET_REASON(error)) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return TlsOutcome::gone;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
      return TlsOutcome::notTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
      return TlsOutcome::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return TlsOutcome::cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsOutcome::protocol;
    default:
      return reason > SSL_AD_REASON_OFFSET ? TlsOutcome::refused : TlsOutcome::broken;
  }
}

int chooseName(SSL* ssl, int*, void*) {
  const char* const host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!host) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* const context = static_cast<const Connection*>(SSL_get_app_data(ssl))->certificates().find(host);
  if (!context) return SSL_TLSEXT_ERR_NOACK;
  return SSL_set_SSL_CTX(ssl, context) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void countMessage(int sent, int, int type, const void*, std::size_t, SSL* ssl, void*) {
  if (sent == 0 && type == SSL3_RT_HANDSHAKE) static_cast<Connection*>(SSL_get_app_data(ssl))->countMessage();
}

constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";  // the one that we would rather have comes first
constexpr unsigned kHttp1 = 3;                                // where the other one begins

int chooseProtocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned offeredSize, void* http2) {
  const unsigned from = http2 ? 0 : kHttp1;
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, size, kProtocols + from, sizeof kProtocols - 1 - from, offered, offeredSize);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

struct SocketBio {
  static Connection& of(BIO* bio) { return *static_cast<Connection*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int room) {
    BIO_clear_retry_flags(bio);
    ssize_t got = 0;
    do got = recv(of(bio).fd_, to, static_cast<std::size_t>(room), 0);
    while (got < 0 && errno == EINTR);
    of(bio).short_ = got < room;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      of(bio).blocked_ = true;
      BIO_set_retry_read(bio);
    }
    return static_cast<int>(got);
  }

  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t sent = 0;
    do sent = ::send(of(bio).fd_, from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      of(bio).blocked_ = true;
      BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pilotlight socket");
      BIO_meth_set_read(fresh, read);
      BIO_meth_set_write(fresh, write);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

void prepare(SSL_CTX* context, bool http2) {
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);  // or one call could be kept busy for as long as records without data come
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_msg_callback(context, countMessage);
  SSL_CTX_set_tlsext_servername_callback(context, chooseName);
  SSL_CTX_set_alpn_select_cb(context, chooseProtocol, http2 ? context : nullptr);
}

Connection::Connection(int fd, std::shared_ptr<const CertificateSet> certificates) : fd_(fd), certificates_(std::move(certificates)) {}

std::unique_ptr<Connection> Connection::accept(int fd, std::shared_ptr<const CertificateSet> certificates) {
  std::unique_ptr<Connection> connection(new Connection(fd, std::move(certificates)));
  connection->ssl_ = SSL_new(connection->certificates_->first());
  BIO* const bio = connection->ssl_ ? BIO_new(SocketBio::method()) : nullptr;
  if (!bio) {
    ERR_clear_error();
    return nullptr;
  }
  BIO_set_data(bio, connection.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(connection->ssl_, bio, bio);
  SSL_set_app_data(connection->ssl_, connection.get());
  SSL_set_accept_state(connection->ssl_);
  return connection;
}

Connection::~Connection() {
  SSL_free(ssl_);
}

net::Tls::Step Connection::handshake() {
  for (int i = 0; i < kPatience; ++i) {
    blocked_ = false;
    const int done = SSL_do_handshake(ssl_);
    if (done == 1) {
      patience_ = kPatience;
      outcome_ = SSL_session_reused(ssl_) ? net::TlsOutcome::resumed : net::TlsOutcome::full;
      return Step::done;
    }
    const int error = SSL_get_error(ssl_, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) break;
    if (blocked_) return Step::wait;
  }
  outcome_ = outcomeOf(ERR_peek_error());
  fail();
  return Step::failed;
}

bool Connection::http2() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return size == 2 && std::memcmp(name, "h2", 2) == 0;
}

ssize_t Connection::fail() {
  ERR_clear_error();
  broken_ = true;
  errno = ECONNRESET;
  return -1;
}

ssize_t Connection::receive(char* to, std::size_t room, bool& emptied) {
  if (broken_) return fail();
  while (patience_ > 0) {
    blocked_ = false;
    const int got = SSL_read(ssl_, to, static_cast<int>(std::min<std::size_t>(room, kRecord)));
    if (got > 0) {
      patience_ = std::min(kPatience, patience_ + got / 1024);
      emptied = short_ && SSL_has_pending(ssl_) == 0;
      return got;
    }
    const int error = SSL_get_error(ssl_, got);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) break;
    if (blocked_) {
      errno = EAGAIN;
      return -1;
    }
    --patience_;
  }
  return fail();
}

/// One record: what is in several parts is copied together, for a record costs more than that.
ssize_t Connection::send(const iovec* parts, int count) {
  if (broken_) return fail();
  char together[kRecord];
  const char* from = static_cast<const char*>(parts[0].iov_base);
  std::size_t size = std::min(parts[0].iov_len, kRecord);
  if (count > 1 && size < kRecord) {
    size = 0;
    for (int i = 0; i < count && size < kRecord; ++i) {
      const std::size_t take = std::min(parts[i].iov_len, kRecord - size);
      std::memcpy(together + size, parts[i].iov_base, take);
      size += take;
    }
    from = together;
  }
  assert(size >= begun_);
  const int sent = SSL_write(ssl_, from, static_cast<int>(size));
  if (sent > 0) {
    begun_ = 0;
    return sent;
  }
  const int error = SSL_get_error(ssl_, sent);
  if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) return fail();
  begun_ = size;
  errno = EAGAIN;
  return -1;
}

bool Connection::goodbye() {
  if (broken_ || saidGoodbye_) return true;
  const int said = SSL_shutdown(ssl_);
  if (said < 0 && SSL_get_error(ssl_, said) == SSL_ERROR_WANT_WRITE) return false;
  ERR_clear_error();
  return saidGoodbye_ = true;
}

}  // namespace pilotlight::tls
