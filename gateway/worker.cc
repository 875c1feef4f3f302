#include "gateway/worker.h"

#include <algorithm>
#include <unordered_set>

#include "net/tls.h"

namespace pilotlight::gateway {

namespace {

/// To us, or to a proxy in front. Who lies about that harms nobody else.
bool cameSecure(const net::Exchange& exchange) {
  return exchange.secure() || exchange.head().headers.get("x-forwarded-proto") == "https";
}

std::string_view withoutPort(std::string_view host) {
  const auto colon = host.rfind(':');
  return colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

}  // namespace

Worker::Worker(Shared& shared, int index)
    : shared_(shared),
      accessLog_(shared.log.channel()),
      loads_(loop_, shared.registry, shared.options.name, shared.instance, shared.options.loads),
      publicFront_(*this, true),
      internalFront_(*this, false) {
  std::random_device random;
  idPrefix_ = (static_cast<std::uint64_t>(random()) << 32 | random()) ^ static_cast<std::uint64_t>(index);
  publicServer_ = std::make_unique<net::Server>(loop_, publicFront_, shared.options.server);
  internalServer_ = std::make_unique<net::Server>(loop_, internalFront_);
  net::ClientOptions options = shared.options.client;
  options.connectTimeout = shared.options.connectTimeout;
  pool_ = std::make_unique<net::ClientPool>(loop_, options);
  peerCalls_ = std::make_unique<PeerCalls>(loop_, shared.peers, shared.keys, shared.options.callHome, shared.callHome);
  snapshot_ = std::make_shared<Snapshot>();
  thread_ = std::thread([this] { loop_.run(); });
}

Worker::~Worker() {
  stop();
}

void Worker::listen(net::Fd publicListener, net::Fd internalListener) {
  // std::function must be copyable, hence plain descriptors.
  loop_.post([this, open = publicListener.release(), own = internalListener.release()] {
    publicServer_->listen(net::Fd(open));
    internalServer_->listen(net::Fd(own));
  });
}

void Worker::listenTls(net::Fd listener, net::TlsAcceptor& tls) {
  loop_.post([this, &tls, open = listener.release()] { publicServer_->listen(net::Fd(open), &tls); });
}

void Worker::publish(std::shared_ptr<const Snapshot> snapshot, std::function<void()> done) {
  // A count of its own per loop, so that sessions of different loops do not share a cache line for it.
  std::shared_ptr<const Snapshot> own(snapshot.get(), [keep = snapshot](const Snapshot*) {});
  loop_.post([this, own = std::move(own), done = std::move(done)]() mutable {
    snapshot_ = std::move(own);
    done();
  });
}

void Worker::forget(const net::Address& address) {
  loop_.post([this, address] { pool_->forget(address); });
}

void Worker::drain(std::function<void()> done) {
  loop_.post([this, done = std::move(done)] {
    publicServer_->drain([this, done] {
      if (!internalServer_) return;  // stop() has come in between
      loads_.end();                  // until now, so that the operator knows what is still in flight
      internalServer_->drain(done);
    });
  });
}

void Worker::spareMemory(bool on) {
  loop_.post([this, on] {
    if (!publicServer_) return;  // stopped
    publicServer_->spareMemory(on);
    pool_->spareMemory(on);
    if (on) dropSpare();
  });
}

/// Sessions that are not in use; a burst may have left many.
void Worker::dropSpare() {
  const std::unordered_set<const Session*> unused(spare_.begin(), spare_.end());
  std::erase_if(sessions_, [&](const auto& session) { return unused.contains(session.get()); });
  sessions_.shrink_to_fit();
  std::vector<Session*>().swap(spare_);
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    publicServer_.reset();  // cuts what is open; its sessions end their calls
    internalServer_.reset();
    leaving_.clear();
    peerCalls_.reset();
    lights_.clear();
    pool_.reset();
  });
  loop_.stop();
  thread_.join();
}

void Worker::light(const std::shared_ptr<FunctionEntry>& entry) {
  while (auto dark = entry->nextToLight()) lights_.push_back(std::make_unique<LightCall>(*this, entry, *std::move(dark)));
}

void Worker::lightOrWake(const std::shared_ptr<FunctionEntry>& entry) {
  light(entry);
  if (entry->needsWake()) shared_.waker.wake(entry);
}

void Worker::lightLater(std::shared_ptr<FunctionEntry> entry) {
  loop_.post([this, entry = std::move(entry)] {
    if (pool_) light(entry);
  });
}

void Worker::ended(LightCall& call) {
  const auto found = std::ranges::find(lights_, &call, &std::unique_ptr<LightCall>::get);
  loop_.destroyLater(std::move(*found));
  lights_.erase(found);
}

Session& Worker::takeSession() {
  if (spare_.empty()) {
    sessions_.push_back(std::make_unique<Session>(*this));
    return *sessions_.back();
  }
  Session* session = spare_.back();
  spare_.pop_back();
  return *session;
}

std::int64_t Worker::epochMillis(std::chrono::steady_clock::time_point time) {
  if (loop_.now() - epochSteady_ > std::chrono::seconds(1)) {
    epochSteady_ = std::chrono::steady_clock::now();
    epochWall_ = std::chrono::system_clock::now();
  }
  const auto wall = epochWall_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(time - epochSteady_);
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch()).count();
}

void Worker::giveSession(Session& session) {
  spare_.push_back(&session);
}

void Worker::letGo(std::unique_ptr<TicketCall> call, Ended how) {
  if (!call->end(how)) return loop_.destroyLater(std::move(call));
  TicketCall* const raw = call.get();
  leaving_.emplace(raw, std::move(call));
}

void Worker::forget(TicketCall& call) {
  const auto found = leaving_.find(&call);
  loop_.destroyLater(std::move(found->second));
  leaving_.erase(found);
}

net::ExchangeHandler* Worker::Front::onRequest(net::Exchange& exchange) {
  if (!external_) {
    const std::string_view path = exchange.head().path;
    if (path.starts_with(kOwnPrefix)) return answerInternal(worker_, exchange);
    // Unless some function has this host: then the path is its own.
    const bool own = path == "/metrics" || path == "/healthz" || path == "/readyz";
    if (own &&
        worker_.snapshot_->table.match(exchange.head().host, path, exchange.head().method).outcome == core::RouteMatch::Outcome::noHost)
      return answerInternal(worker_, exchange);
  }
  return worker_.route(exchange, external_);
}

net::ExchangeHandler* Worker::route(net::Exchange& exchange, bool external) {
  if (shared_.memory.refusing()) {
    refuseForMemory(exchange);
    return nullptr;
  }
  if (external && shared_.options.tls.redirectTo != 0 && !cameSecure(exchange)) {
    redirectToTls(exchange);
    return nullptr;
  }
  const net::RequestHead& head = exchange.head();
  core::RouteMatch match;
  if (head.path.starts_with(kOwnPrefix))
    match.outcome = core::RouteMatch::Outcome::noPath;
  else
    match = snapshot_->table.match(head.host, head.path, head.method);
  if (match.path.starts_with(kOwnPrefix)) match.outcome = core::RouteMatch::Outcome::noPath;  // the shim's, behind a local prefix
  const bool known = match.outcome == core::RouteMatch::Outcome::found || match.outcome == core::RouteMatch::Outcome::noMethod;
  if (known && external && snapshot_->routes[match.route].visibility == api::Visibility::cluster)
    match.outcome = core::RouteMatch::Outcome::noHost;  // not even that it is there
  if (match.outcome != core::RouteMatch::Outcome::found) {
    refuseUnrouted(exchange, match);
    return nullptr;
  }
  snapshot_->routes[match.route].entry->prefetch();
  return takeSession().begin(exchange, snapshot_, match);
}

void Worker::refuseForMemory(net::Exchange& exchange) {
  shared_.memory.countRefused();
  const net::Header later[] = {{"Retry-After", shared_.retryAfter}};
  exchange.respond(503, "application/json",
                   "{\"error\":\"ServiceUnavailable\",\"message\":\"the gateway is short of memory\",\"limit\":\"memory\"}\n", later);
}

void Worker::redirectToTls(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::uint16_t port = shared_.options.tls.redirectTo;
  std::string to = "https://" + std::string(withoutPort(head.host));
  if (port != 443) to += ":" + std::to_string(port);
  to += head.target;
  const net::Header there[] = {{"Location", to}};
  exchange.respond(308, "", "", there);
}

void Worker::refuseUnrouted(net::Exchange& exchange, const core::RouteMatch& match) {
  shared_.unrouted.fetch_add(1, std::memory_order_relaxed);
  const net::RequestHead& head = exchange.head();
  std::string body = "{\"error\":";
  int status = 404;
  switch (match.outcome) {
    case core::RouteMatch::Outcome::badPath:
      status = 400;
      body += "\"BadRequest\",\"message\":\"the path must start with / and have no . or .. segments\"";
      break;
    case core::RouteMatch::Outcome::noMethod:
      status = 405;
      body += "\"MethodNotAllowed\",\"message\":\"a function has this path, but not for this method\"";
      break;
    default:
      body += "\"NotFound\",\"message\":\"no function has this host and path\"";
  }
  body += ",\"host\":";
  appendJsonString(body, head.host);
  body += ",\"path\":";
  appendJsonString(body, head.path);
  body += "}\n";
  if (shared_.options.accessLog == AccessLog::all) {
    beginLogLine(scratch_, "info", "request");
    scratch_ += ",\"host\":";
    appendJsonString(scratch_, head.host);
    scratch_ += ",\"method\":";
    appendJsonString(scratch_, head.method);
    scratch_ += ",\"path\":";
    appendJsonString(scratch_, head.path);
    scratch_.append(",\"status\":").append(std::to_string(status)).append(",\"routed\":false,\"remote\":");
    appendJsonString(scratch_, exchange.peer().ip);
    scratch_ += '}';
    accessLog_.write(scratch_);
  }
  exchange.respond(status, "application/json", body);
}

}  // namespace pilotlight::gateway
