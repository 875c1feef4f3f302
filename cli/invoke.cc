#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/http_call.h"
#include "kube/status.h"

namespace pilotlight::cli {

namespace {

struct Url {
  std::string base;  // scheme and authority
  std::string path;  // may be empty
};

std::optional<Url> splitUrl(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) return std::nullopt;
  const auto slash = url.find('/', scheme + 3);
  return Url{url.substr(0, slash), slash == std::string::npos ? "" : url.substr(slash)};
}

std::expected<std::string, std::string> readData(Context& context, const std::string& data) {
  if (!data.starts_with('@')) return data;
  if (data == "@-") return std::string(std::istreambuf_iterator<char>(context.in), {});
  std::ifstream file(data.substr(1), std::ios::binary);
  if (!file) return std::unexpected("cannot read " + data.substr(1));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::expected<kube::HttpRequest, std::string> makeRequest(Context& context, const InvokeOptions& options, const std::string& path) {
  kube::HttpRequest request;
  request.method = !options.method.empty() ? options.method : options.data ? "POST" : "GET";
  request.target =
      path + (options.path.empty() || options.path.starts_with('/') || options.path.starts_with('?') ? "" : "/") + options.path;
  if (request.target.empty()) request.target = "/";
  request.idleTimeout = std::chrono::seconds(options.timeoutSeconds);
  if (options.data) {
    auto data = readData(context, *options.data);
    if (!data) return std::unexpected(data.error());
    request.body = std::move(*data);
    // As JSON where it is, since a handler may well look at the type.
    const bool json = nlohmann::json::accept(request.body);
    request.contentType = json ? "application/json" : "application/octet-stream";
  }
  for (const auto& header : options.headers) {
    const auto colon = header.find(':');
    if (colon == std::string::npos || colon == 0) return std::unexpected(fmt::format("header \"{}\": expected \"Name: value\"", header));
    const auto name = header.substr(0, colon);
    const auto begin = header.find_first_not_of(' ', colon + 1);
    const auto value = begin == std::string::npos ? "" : header.substr(begin);
    if (name.size() == 12 && strcasecmp(name.c_str(), "content-type") == 0) {
      if (options.data) request.contentType = value;
    } else {
      request.headers.emplace_back(name, value);
    }
  }
  return request;
}

}  // namespace

namespace {

std::string lowerCase(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// "pilotlight-gateway-internal.pilotlight-system.svc.cluster.local", as the function's own Service names it, is for pods; the
/// Service without "-internal" leads to the port that NetworkPolicies leave open to the API server too.
std::expected<std::string, std::string> proxyPath(const kube::Object& service, bool publicly) {
  const std::string& target = service.stringAt("/spec/externalName");
  const auto dot = target.find('.');
  std::string name = target.substr(0, dot);
  const std::string rest = dot == std::string::npos ? "" : target.substr(dot + 1);
  if (name.empty() || rest.empty()) return std::unexpected(fmt::format("its Service names no gateway, but \"{}\"", target));
  constexpr std::string_view kInternal = "-internal";
  if (publicly && name.ends_with(kInternal)) name.resize(name.size() - kInternal.size());
  return fmt::format("/api/v1/namespaces/{}/services/http:{}:http/proxy", rest.substr(0, rest.find('.')), name);
}

/// Through the API server, with the user's rights there.
std::expected<HttpCall, std::string> throughApi(Connection& connection, const kube::Object& function, HttpCall call) {
  for (const auto& [name, value] : call.request.headers) {
    if (lowerCase(name) == "authorization")
      return std::unexpected("the API server keeps the Authorization header to itself: name a gateway with --gateway URL");
  }
  const auto service = connection.client->get(kube::resources::services, function.key());
  if (!service) return std::unexpected(kube::serverMessage(service.error()));
  const auto path = proxyPath(*service, function.stringAt("/spec/http/visibility") != "cluster");
  if (!path) return std::unexpected(path.error());
  auto credentials = connection.config.credentials->current();
  if (!credentials) return std::unexpected(credentials.error().message);
  call.credentials = *std::move(credentials);
  call.url = connection.config.server;
  call.tls = connection.config.tls;
  // A path that the server's URL has (clusters behind a proxy) comes before the API's.
  const auto slash = call.url.find('/', call.url.find("://") + 3);
  call.request.target = (slash == std::string::npos ? "" : call.url.substr(slash)) + *path + call.request.target;
  return call;
}

/// Prints the answer as it comes; what the API server itself says is told as its errors are.
class Printer {
 public:
  Printer(Context& context, const InvokeOptions& options, bool proxied) : context_(context), options_(options), proxied_(proxied) {}

  void onHead(const kube::HttpResponse& head) {
    head_ = head;
    // Whatever a gateway answers has an id.
    ofServer_ = proxied_ && head.status >= 400 && head.header("X-Request-Id").empty();
    if (ofServer_ || !options_.include) return;
    context_.out << fmt::format("HTTP/1.1 {} {}\n", head.status, head.reason);
    for (const auto& [name, value] : head.headers) context_.out << name << ": " << value << "\n";
    context_.out << "\n";
  }
  bool onBody(std::string_view part) {
    constexpr std::size_t kMaxError = 64U << 10;
    if (ofServer_) {
      error_ += part;
      return error_.size() < kMaxError;
    }
    context_.out << part << std::flush;
    return static_cast<bool>(context_.out);
  }
  int end(const HttpCall& call) {
    context_.out << std::flush;
    if (ofServer_) {
      fail(context_, kube::fromStatus(head_.status, error_));
      context_.err << "Requests go through the API server's proxy of the gateways' Service; --gateway URL is the way around it.\n";
      return 1;
    }
    if (head_.status < 400) return 0;
    if (!options_.include)
      fail(context_, fmt::format("{} {}: {} {}", call.request.method, call.host + options_.path, head_.status, head_.reason));
    return 1;
  }

 private:
  Context& context_;
  const InvokeOptions& options_;
  const bool proxied_;
  kube::HttpResponse head_;
  bool ofServer_ = false;
  std::string error_;
};

}  // namespace

int invoke(Context& context, const InvokeOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  std::string name = options.name;
  if (const auto slash = name.find('/'); slash != std::string::npos) name.erase(0, slash + 1);
  const auto function = connection->client->get(kube::resources::functions, {connection->namespace_, name});
  if (!function) return fail(context, function.error());
  const auto url = splitUrl(function->stringAt("/status/url"));
  if (!url) return fail(context, fmt::format("function {} has no URL yet: see `pilotlight describe fn {}`", name, name));
  auto request = makeRequest(context, options, url->path);
  if (!request) return fail(context, request.error());
  std::expected<HttpCall, std::string> made = HttpCall{.url = options.gateway.empty() ? url->base : options.gateway,
                                                       .host = url->base.substr(url->base.find("://") + 3),
                                                       .request = *std::move(request)};
  const bool proxied = !connection->local && options.gateway.empty();
  if (proxied) made = throughApi(*connection, *function, *std::move(made));
  if (!made) return fail(context, fmt::format("function {}: {}", name, made.error()));
  Printer printer(context, options, proxied);
  const auto done = call(*made, {.onHead = [&](const auto& head) { printer.onHead(head); },
                                 .onBody = [&](std::string_view part) { return printer.onBody(part); }});
  return done ? printer.end(*made) : fail(context, done.error().message);
}

}  // namespace pilotlight::cli
