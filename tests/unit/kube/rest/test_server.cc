#include "test_server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace pilotlight::kube {

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

SSL_CTX* contextOf(const TestServerTls& tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  const auto read = [](const std::string& pem) { return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())); };
  BIO* bio = read(tls.identity.certificate);
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = read(tls.identity.key);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  require(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (tls.clientAuthority.empty()) return context;
  bio = read(tls.clientAuthority);
  X509* authority = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
  X509_free(authority);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string TestRequest::header(const std::string& name) const {
  const std::size_t at = lower(head).find("\r\n" + lower(name) + ":");
  if (at == std::string::npos) return "";
  const std::size_t begin = head.find_first_not_of(' ', at + name.size() + 3);
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

bool TestConnection::write(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const int size = static_cast<int>(std::min<std::size_t>(bytes.size() - done, 1 << 20));
    const auto wrote = ssl_ != nullptr ? SSL_write(ssl_, bytes.data() + done, size)
                                       : static_cast<int>(::send(fd_, bytes.data() + done, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    if (wrote <= 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

void TestConnection::answer(int status, const std::string& body, const std::string& headers) {
  write("HTTP/1.1 " + std::to_string(status) + " Status\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        body);
}

void TestConnection::close() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ::shutdown(fd_, SHUT_RDWR);
}

void TestConnection::untilClosed() {
  while (read()) {
  }
}

std::optional<TestRequest> TestConnection::read() {
  while (true) {
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end != std::string::npos) {
      TestRequest request{buffer_.substr(0, buffer_.find("\r\n")), buffer_.substr(0, end + 2), "", clientName_};
      const std::string length = request.header("Content-Length");
      const std::size_t size = length.empty() ? 0 : std::stoul(length);
      if (buffer_.size() >= end + 4 + size) {
        request.body = buffer_.substr(end + 4, size);
        buffer_.erase(0, end + 4 + size);
        return request;
      }
    }
    char part[4096];
    const auto got = ssl_ != nullptr ? SSL_read(ssl_, part, sizeof part) : static_cast<int>(::recv(fd_, part, sizeof part, 0));
    if (got <= 0) return std::nullopt;
    buffer_.append(part, static_cast<std::size_t>(got));
  }
}

TestServer::TestServer(Handler handler, std::optional<TestServerTls> tls) : handler_(std::move(handler)) {
  if (tls) context_ = contextOf(*tls);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(listener_, 64) == 0);
  socklen_t size = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
  if (context_ != nullptr) SSL_CTX_free(context_);
}

std::string TestServer::url(const std::string& host) const {
  return (context_ != nullptr ? "https://" : "http://") + host + ":" + std::to_string(port_);
}

std::vector<std::string> TestServer::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

void TestServer::accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    ++connections_;
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void TestServer::serve(int fd) {
  TestConnection connection;
  connection.fd_ = fd;
  bool ready = true;
  if (context_ != nullptr) {
    connection.ssl_ = SSL_new(context_);
    SSL_set_fd(connection.ssl_, fd);
    ready = SSL_accept(connection.ssl_) == 1;
    if (X509* certificate = ready ? SSL_get1_peer_certificate(connection.ssl_) : nullptr) {
      char name[256] = "";
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
      connection.clientName_ = name;
      X509_free(certificate);
    }
  }
  while (ready) {
    const auto request = connection.read();
    if (!request) break;
    {
      const std::lock_guard lock(mutex_);
      lines_.push_back(request->line);
    }
    handler_(connection, *request);
  }
  if (connection.ssl_ != nullptr) SSL_free(connection.ssl_);
  const std::lock_guard lock(mutex_);
  open_.remove(fd);
  ::close(fd);
}

}  // namespace pilotlight::kube
