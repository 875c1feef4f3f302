#include "runtime-shim/http_invoker.h"

#include <netinet/in.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "api/shim_contract.h"

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;

net::ClientOptions clientOptions(const Settings& settings) {
  net::ClientOptions options;
  options.connectTimeout = settings.handlerConnectTimeout;
  options.idleTimeout = settings.handlerIdleTimeout;
  options.maxIdlePerAddress = settings.handlerMaxIdle;
  return options;
}

bool portIsFree(std::uint16_t port) {
  net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}

// In a cluster a pod has its ports to itself. In local mode all share them: ours follows from our process number, which no
// other shim has at the same time; below the range from which the kernel takes ports for outgoing connections.
std::uint16_t choosePort(const Config& config) {
  if (config.handlerPort != 0) return config.handlerPort;
  if (!config.local()) return 8080;
  constexpr unsigned kFirst = 10000, kCount = 22000;
  unsigned offset = static_cast<unsigned>(::getpid());
  for (unsigned i = 0; i < 100; ++i, offset += 7919) {
    auto port = static_cast<std::uint16_t>(kFirst + offset % kCount);
    if (portIsFree(port)) return port;
  }
  return 8080;
}

bool endsHere(std::string_view name) {
  return net::isHopByHop(name) || net::equalsIgnoreCase(name, "content-length") || net::equalsIgnoreCase(name, "expect");
}

bool isSafe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

net::ResponseBody bodyOf(const net::ResponseHead& head, bool toHead) {
  if (head.body == net::BodyKind::length) return {net::BodyKind::length, head.length};
  if (head.body == net::BodyKind::tunnel) return {net::BodyKind::tunnel, 0};
  if (head.body != net::BodyKind::none) return {net::BodyKind::chunked, 0};
  // The answer to a HEAD tells the length of a body that doesn't follow.
  auto text = head.headers.get("content-length").value_or("");
  std::uint64_t length = 0;
  bool given = !text.empty() && std::from_chars(text.data(), text.data() + text.size(), length).ec == std::errc();
  return toHead && given ? net::ResponseBody{net::BodyKind::length, length} : net::ResponseBody{};
}

}  // namespace

// One request on its way through the handler's server.
class HttpInvoker::Proxied final : public Invocation {
 public:
  explicit Proxied(HttpInvoker& invoker) : invoker_(invoker) {}
  ~Proxied() override { leave(); }

  /// May be called again after close().
  void open(Call& call) {
    call_ = &call;
    bodySeen_ = bodyEnded_ = retried_ = false;
  }
  void close() {
    leave();
    call_ = nullptr;
  }
  bool isOpen() const { return call_ != nullptr; }
  void begin() override { send(false); }
  void onBody(std::string_view part) override {
    bodySeen_ = true;
    if (client_ && !client_->write(part)) call_->pauseBody();
  }
  void onBodyEnd() override {
    bodyEnded_ = true;
    if (client_) client_->finish(call_->trailers());
  }
  void onWritable() override {
    if (client_) client_->resumeBody();
  }
  void cancel() override {
    leave();
    call_->released();
  }
  void handlerDied() {
    leave();
    call_->fail(502, "crashed", "the handler ended while it had the request");
  }

 private:
  // The handler's side of the connection.
  struct Upstream final : net::ClientHandler {
    explicit Upstream(Proxied& owner) : owner_(owner) {}
    void onInterim(const net::ResponseHead& head) override { owner_.call_->sendInterim(head.status, head.headers); }
    void onHead(const net::ResponseHead& head) override {
      std::span headers(head.headers.begin(), head.headers.end());
      owner_.call_->sendHead(head.status, head.reason, headers, bodyOf(head, owner_.toHead_));
    }
    void onBody(std::string_view part) override {
      if (!owner_.call_->write(part) && owner_.client_) owner_.client_->pauseBody();
    }
    void onPeerEnd() override { owner_.call_->closeTunnel(); }
    void onEnd(std::span<const net::Header> trailers) override {
      owner_.client_ = nullptr;
      owner_.call_->finish(trailers);
    }
    void onWritable() override { owner_.call_->resumeBody(); }
    void onFailure(net::ClientFailure failure) override { owner_.onFailure(failure); }
    Proxied& owner_;
  };

  void send(bool fresh);
  void onFailure(net::ClientFailure failure);
  void leave() {
    if (client_) std::exchange(client_, nullptr)->cancel();
  }

  HttpInvoker& invoker_;
  Call* call_ = nullptr;  // null between two requests
  Upstream upstream_{*this};
  net::ClientCall* client_ = nullptr;  // null once it has ended
  bool toHead_ = false, bodySeen_ = false, bodyEnded_ = false, retried_ = false;
};

void HttpInvoker::Proxied::send(bool fresh) {
  const net::RequestHead& head = call_->head();
  net::Headers& headers = invoker_.sent_;
  headers.clear();
  for (const net::Header& header : head.headers) {
    if (!endsHere(header.name)) headers.push(header);
  }
  if (!head.headers.get(contract::kHeaderRequestId)) headers.push({contract::kHeaderRequestId, call_->requestId()});
  if (!head.headers.get("host")) headers.push({"Host", "localhost"});
  toHead_ = head.method == "HEAD";
  net::ClientRequest request{head.method, head.target, std::span(headers.begin(), headers.end()), head.body, head.length, head.upgrade};
  client_ = invoker_.pool_.call(*invoker_.peer_, request, upstream_, fresh);
  if (bodyEnded_ && head.body != net::BodyKind::none) client_->finish(call_->trailers());
}

void HttpInvoker::Proxied::onFailure(net::ClientFailure failure) {
  bool sent = std::exchange(client_, nullptr)->bytesWritten() != 0;
  bool bodiless = call_->head().body == net::BodyKind::none;
  // The server closed an idle connection just as we used it. It may have begun to work on what it read, so only what can
  // be repeated is.
  if (failure == net::ClientFailure::staleClosed && !retried_ && !bodySeen_ && (!sent || (bodiless && isSafe(call_->head().method)))) {
    retried_ = true;
    return send(true);
  }
  leave();
  if (failure == net::ClientFailure::connect || failure == net::ClientFailure::refused || failure == net::ClientFailure::exhausted)
    return call_->refuse("starting");
  if (failure == net::ClientFailure::protocol) return call_->fail(502, "bad-response", "the handler's answer is not valid HTTP");
  call_->fail(502, "crashed", "the handler closed the connection without a complete answer");
}

HttpInvoker::HttpInvoker(net::Loop& loop, const Config& config, Children& children, Metrics& metrics, const Log& log)
    : loop_(loop),
      config_(config),
      metrics_(metrics),
      log_(log),
      environment_(handlerEnvironment(environ)),
      pool_(loop, clientOptions(config.settings)),
      probe_(loop, config.readyPath, config.protocol, config.settings.probeTimeout, [this] { onAnswers(); }),
      process_(loop, children, log, config.settings, true,
               {[this] { return spawnHandler(); }, [this] { onStarted(); }, [this] { onEnded(); }}) {}

HttpInvoker::~HttpInvoker() = default;

void HttpInvoker::start(std::function<void(bool)> onReadiness) {
  onReadiness_ = std::move(onReadiness);
  if (peer_) pool_.forget(address_);  // of the handler before
  process_.start();
}

std::expected<pid_t, std::string> HttpInvoker::spawnHandler() {
  address_ = {"127.0.0.1", choosePort(config_)};
  const char* path = ::getenv("PATH");
  auto program = findExecutable(config_.handler.front(), path ? path : "");
  if (!program) return std::unexpected(program.error());
  ArgumentList arguments(config_.handler);
  const std::vector<std::string> port = {std::string(contract::kEnvHandlerPort) + "=" + std::to_string(address_.port)};
  ArgumentList environment(environment_, port);
  started_ = net::Clock::now();
  auto pid = spawn({program->c_str(), arguments.data(), environment.data(), {}, true});
  if (!pid) return std::unexpected(*program + ": " + std::strerror(pid.error()));
  return *pid;
}

void HttpInvoker::onStarted() {
  peer_ = &pool_.peer(address_, config_.protocol);
  handler_ = Handler::starting;
  metrics_.handlerRestarts(process_.restarts());
  probe_.start(address_);
}

void HttpInvoker::onAnswers() {
  process_.settled();
  if (std::exchange(handler_, Handler::answering) == Handler::startingWithOldFiles) process_.tell(SIGHUP);
  metrics_.handlerStarted(net::Clock::now() - started_);
  onReadiness_(true);
  log_.info("handler answers",
            {{"port", address_.port}, {"took_ms", std::chrono::duration_cast<milliseconds>(net::Clock::now() - started_).count()}});
}

void HttpInvoker::sourcesChanged() {
  if (handler_ == Handler::answering) return process_.tell(SIGHUP);
  handler_ = Handler::startingWithOldFiles;  // perhaps: it may have read them already
}

void HttpInvoker::onEnded() {
  probe_.stop();
  handler_ = Handler::starting;
  onReadiness_(false);
  for (const auto& proxied : proxied_.all()) {
    if (proxied->isOpen()) proxied->handlerDied();
  }
  pool_.forget(address_);
}

Invocation& HttpInvoker::invoke(Call& call) {
  Proxied& proxied = proxied_.take(*this);
  proxied.open(call);
  return proxied;
}

void HttpInvoker::retire(Invocation& invocation) {
  auto& proxied = static_cast<Proxied&>(invocation);
  proxied.close();
  proxied_.give(proxied);
}

void HttpInvoker::stop(net::Clock::time_point deadline, std::function<void()> done) {
  probe_.stop();
  process_.stop(deadline, std::move(done));
}

}  // namespace pilotlight::shim
