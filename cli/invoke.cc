#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"

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

/// --timeout is about silence: an answer that goes on may take its time.
constexpr std::chrono::hours kLongestAnswer{24};

std::expected<kube::HttpRequest, std::string> makeRequest(Context& context, const InvokeOptions& options, const std::string& path) {
  kube::HttpRequest request;
  request.method = !options.method.empty() ? options.method : options.data ? "POST" : "GET";
  request.target =
      path + (options.path.empty() || options.path.starts_with('/') || options.path.starts_with('?') ? "" : "/") + options.path;
  if (request.target.empty()) request.target = "/";
  request.idleTimeout = std::chrono::seconds(options.timeoutSeconds);
  request.deadline = kLongestAnswer;
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
  auto transport = kube::makeTransport({.baseUrl = url->base});
  if (!transport) return fail(context, transport.error());
  const auto response = (*transport)->send(*request);
  if (!response) return fail(context, response.error());
  if (options.include) {
    context.out << fmt::format("HTTP/1.1 {} {}\n", response->status, response->reason);
    for (const auto& [header, value] : response->headers) context.out << header << ": " << value << "\n";
    context.out << "\n";
  }
  context.out << response->body << std::flush;
  if (response->status < 400) return 0;
  if (!options.include)
    context.err << fmt::format("error: {} {}: {} {}\n", request->method, url->base + request->target, response->status, response->reason);
  return 1;
}

}  // namespace pilotlight::cli
