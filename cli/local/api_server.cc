#include "cli/local/api_server.h"

#include <fmt/format.h>

#include <charconv>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>
#include <unordered_map>

#include "api/types.h"
#include "cli/local/discovery.h"
#include "cli/local/log_stream.h"
#include "cli/local/rest.h"
#include "cli/local/stream_pump.h"
#include "kube/status.h"
#include "net/loop.h"
#include "net/server.h"

namespace pilotlight::local {

using kube::Error;
using kube::ErrorCode;
using kube::Json;

namespace {

constexpr const char* kJson = "application/json";

std::string value(const Query& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

bool isTrue(const Query& query, const char* name) {
  const auto text = value(query, name);
  return text == "true" || text == "1";
}

void respondJson(net::Exchange& exchange, int status, const Json& body) {
  exchange.respond(status, kJson, body.dump(-1, ' ', false, Json::error_handler_t::replace));
}
void respondError(net::Exchange& exchange, const Error& error) {
  respondJson(exchange, kube::httpStatus(error.code), kube::toStatus(error));
}

Json statusOf(int code, const char* reason, const std::string& message) {
  return {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Failure"}, {"message", message},
          {"reason", reason}, {"code", code}};
}

class WatchSource final : public StreamSource {
 public:
  explicit WatchSource(std::unique_ptr<WatchLines> lines) : lines_(std::move(lines)) {}
  std::optional<std::string> next(std::chrono::milliseconds wait) override { return lines_->next(wait); }
  void cancel() override { lines_->cancel(); }

 private:
  std::unique_ptr<WatchLines> lines_;
};

}  // namespace

struct ApiServer::Impl final : net::Application {
  Impl(kube::Client& client_, LogStore& logs_, ApiServerOptions options_) : client(client_), logs(logs_), options(std::move(options_)) {}

  class Session;

  net::ExchangeHandler* onRequest(net::Exchange& exchange) override;
  bool allowed(net::Exchange& exchange);
  void answer(Session& session, net::Exchange& exchange);
  bool answerPlain(const std::string& path, net::Exchange& exchange);
  void answerLog(Session& session, net::Exchange& exchange, const ApiRequest& request);
  void answerWatch(Session& session, net::Exchange& exchange, const ApiRequest& request);
  void startStream(Session& session, net::Exchange& exchange, const char* type, std::unique_ptr<StreamSource> source);
  void emit(std::uint64_t id, const std::string& part);
  void end(std::uint64_t id);

  kube::Client& client;
  LogStore& logs;
  const ApiServerOptions options;
  net::Address address;
  net::Loop loop;
  std::unique_ptr<net::Server> server;  // loop thread only, as all below
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions;
  std::uint64_t lastId = 0;
  std::size_t streams = 0;
  std::thread thread;
};

/// One request: collects the body, then answers, at once or as a stream.
class ApiServer::Impl::Session final : public net::ExchangeHandler {
 public:
  Session(Impl& owner, std::uint64_t id, net::Exchange& exchange) : owner_(owner), id_(id), exchange_(&exchange) {}

  void onBody(net::Exchange& exchange, std::string_view part) override {
    if (answered_) return;  // the rest of a body that was refused
    if (body_.size() + part.size() > owner_.options.maxBodyBytes) {
      answered_ = true;
      exchange.closeAfter();
      respondJson(exchange, 413,
                  statusOf(413, "RequestEntityTooLarge", fmt::format("the body may have {} bytes", owner_.options.maxBodyBytes)));
      return;
    }
    body_ += part;
  }
  void onBodyEnd(net::Exchange& exchange) override {
    if (answered_) return;
    answered_ = true;
    owner_.answer(*this, exchange);
  }
  void onWritable(net::Exchange&) override { giveBack(); }
  void onEnd(net::Exchange&, bool) override {
    if (pump_) --owner_.streams;
    auto found = owner_.sessions.find(id_);
    auto self = std::move(found->second);
    owner_.sessions.erase(found);
    owner_.loop.destroyLater(std::move(self));
  }

  void stream(std::unique_ptr<StreamSource> source) {
    ++owner_.streams;
    auto emit = [&owner = owner_, id = id_](std::string part) {
      owner.loop.post([&owner, id, text = std::move(part)] { owner.emit(id, text); });
    };
    auto end = [&owner = owner_, id = id_] { owner.loop.post([&owner, id] { owner.end(id); }); };
    pump_ = std::make_unique<StreamPump>(std::move(source), emit, end);
  }
  void write(const std::string& part) {
    untaken_ += part.size();
    if (exchange_->write(part)) giveBack();
  }
  void finish() { exchange_->finish(); }

  std::uint64_t id() const { return id_; }
  std::string& body() { return body_; }

 private:
  void giveBack() {
    if (pump_) pump_->taken(std::exchange(untaken_, 0));
  }

  Impl& owner_;
  const std::uint64_t id_;
  net::Exchange* exchange_;
  std::string body_;
  bool answered_ = false;
  std::size_t untaken_ = 0;  // written while the client is slow
  std::unique_ptr<StreamPump> pump_;
};

bool ApiServer::Impl::allowed(net::Exchange& exchange) {
  const auto& head = exchange.head();
  if (!hostAllowed(head.host)) {
    exchange.closeAfter();
    respondJson(exchange, 403, statusOf(403, "Forbidden", "the Host must be an IP address or localhost"));
    return false;
  }
  if (!authorized(head.headers.get("Authorization").value_or(""), options.token)) {
    exchange.closeAfter();
    respondJson(exchange, 401, statusOf(401, "Unauthorized", "the bearer token of this instance's kubeconfig is required"));
    return false;
  }
  return true;
}

net::ExchangeHandler* ApiServer::Impl::onRequest(net::Exchange& exchange) {
  if (!allowed(exchange)) return nullptr;
  exchange.sendContinue();
  const auto id = ++lastId;
  auto session = std::make_unique<Session>(*this, id, exchange);
  auto* handler = session.get();
  sessions.emplace(id, std::move(session));
  return handler;
}

bool ApiServer::Impl::answerPlain(const std::string& path, net::Exchange& exchange) {
  if (exchange.head().method != "GET") return false;
  if (path == "/healthz" || path == "/livez" || path == "/readyz") {
    exchange.respond(200, "text/plain", "ok");
  } else if (path == "/metrics") {
    exchange.respond(200, "text/plain; version=0.0.4", options.metrics ? options.metrics() : "");
  } else if (path == "/version") {
    // kubectl parses these as the API server's version: the API level that this subset follows.
    respondJson(exchange, 200,
                {{"major", "1"}, {"minor", "32"}, {"gitVersion", "v1.32.0+pilotlight-" + options.version}, {"platform", "linux/amd64"}});
  } else if (const auto document = discovery(path)) {
    respondJson(exchange, 200, *document);
  } else {
    return false;
  }
  return true;
}

void ApiServer::Impl::answer(Session& session, net::Exchange& exchange) {
  const auto& head = exchange.head();
  const std::string path(head.path);
  if (answerPlain(path, exchange)) return;
  auto target = parseApiPath(path);
  if (!target) return respondJson(exchange, 404, statusOf(404, "NotFound", "the server could not find the requested resource"));
  ApiRequest request{std::string(head.method), std::move(*target), parseQuery(head.query),
                     std::string(head.headers.get("Content-Type").value_or(kJson)), std::move(session.body())};
  const auto agent = head.headers.get("User-Agent").value_or("unknown");
  request.fieldManagerDefault = std::string(agent.substr(0, agent.find('/')));
  request.metadataOnly = head.headers.get("Accept").value_or("").find("as=PartialObjectMetadata") != std::string_view::npos;
  request.asTable = head.headers.get("Accept").value_or("").find("as=Table;v=v1;g=meta.k8s.io") != std::string_view::npos;
  const bool reading = request.method == "GET";
  if (reading && request.path.subresource == "log") return answerLog(session, exchange, request);
  if (reading && isTrue(request.query, "watch")) return answerWatch(session, exchange, request);
  const auto response = handleApi(client, request);
  respondJson(exchange, response.status, response.body);
}

void ApiServer::Impl::answerLog(Session& session, net::Exchange& exchange, const ApiRequest& request) {
  LogQuery query;
  const auto& path = request.path;
  const auto object = client.get(path.resource, {path.namespace_, path.name});
  if (!object) return respondError(exchange, object.error());
  query.function = {path.namespace_, path.name};
  if (path.resource == kube::resources::pods) {
    query.function.name = object->label(api::kLabelFunction);
    query.pod = path.name;
  } else if (path.resource != kube::resources::functions) {
    return respondError(exchange, Error{ErrorCode::notFound, path.resource.plural + " have no log"});
  }
  std::optional<int> seconds;
  for (const auto& [name, field] : {std::pair("tailLines", &query.tailLines), std::pair("sinceSeconds", &seconds)}) {
    const auto text = value(request.query, name);
    int number = 0;
    if (text.empty()) continue;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{} || number < 0) {
      return respondError(exchange, Error{ErrorCode::badRequest, std::string(name) + ": must be a whole number from 0"});
    }
    *field = number;
  }
  if (seconds) query.since = std::chrono::system_clock::now() - std::chrono::seconds(*seconds);
  query.follow = isTrue(request.query, "follow");
  query.timestamps = isTrue(request.query, "timestamps");
  query.prefix = isTrue(request.query, "prefix");
  startStream(session, exchange, "text/plain; charset=utf-8", std::make_unique<LogStream>(logs, std::move(query)));
}

void ApiServer::Impl::answerWatch(Session& session, net::Exchange& exchange, const ApiRequest& request) {
  auto lines = WatchLines::open(client, request);
  if (!lines) return respondError(exchange, lines.error());
  startStream(session, exchange, kJson, std::make_unique<WatchSource>(std::move(*lines)));
}

void ApiServer::Impl::startStream(Session& session, net::Exchange& exchange, const char* type, std::unique_ptr<StreamSource> source) {
  if (streams >= options.maxStreams) {
    return respondError(exchange, Error{ErrorCode::tooManyRequests, fmt::format("{} watches and logs are open, the most allowed", streams),
                                        std::chrono::seconds(1)});
  }
  const net::Header contentType{"Content-Type", type};
  exchange.sendHead(200, "OK", std::span(&contentType, 1), {net::BodyKind::chunked, 0});
  session.stream(std::move(source));
}

void ApiServer::Impl::emit(std::uint64_t id, const std::string& part) {
  if (const auto found = sessions.find(id); found != sessions.end()) found->second->write(part);
}

void ApiServer::Impl::end(std::uint64_t id) {
  if (const auto found = sessions.find(id); found != sessions.end()) found->second->finish();
}

ApiServer::ApiServer(kube::Client& client, LogStore& logs, ApiServerOptions options)
    : impl_(std::make_unique<Impl>(client, logs, std::move(options))) {}

ApiServer::~ApiServer() {
  stop();
}

std::expected<void, std::string> ApiServer::start() {
  auto listener = net::listenTcp(impl_->options.listen);
  if (!listener) return std::unexpected(fmt::format("API server: {}", listener.error()));
  impl_->address = net::localAddress(listener->get());
  net::ServerOptions options;
  options.maxConnections = impl_->options.maxConnections;
  impl_->server = std::make_unique<net::Server>(impl_->loop, *impl_, options);
  impl_->loop.post([this, fd = std::make_shared<net::Fd>(std::move(*listener))] { impl_->server->listen(std::move(*fd)); });
  impl_->thread = std::thread([this] { impl_->loop.run(); });
  return {};
}

void ApiServer::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->loop.post([this] {
    impl_->server.reset();  // ends every exchange
    impl_->sessions.clear();
    impl_->loop.stop();
  });
  impl_->thread.join();
}

net::Address ApiServer::address() const {
  return impl_->address;
}

}  // namespace pilotlight::local
