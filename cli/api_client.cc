#include "cli/api_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kube/rest_path.h"
#include "kube/status.h"

namespace pilotlight::cli {

using kube::Error;
using kube::ErrorCode;
using kube::Json;

namespace {

constexpr const char* kFieldManager = "pilotlight-cli";
constexpr int kPageSize = 500;
/// Watches end after the server's 290 s; logs may be quiet for as long as nothing happens.
constexpr std::chrono::hours kStreamIdle{24};

}  // namespace

kube::Result<Json> ApiClient::call(kube::HttpRequest request) {
  request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("User-Agent", kFieldManager);
  const auto response = transport_.send(request);
  if (!response) return std::unexpected(response.error());
  if (response->status >= 400) return std::unexpected(kube::fromStatus(response->status, response->body));
  auto json = Json::parse(response->body, nullptr, false);
  if (json.is_discarded())
    return std::unexpected(Error{ErrorCode::unavailable, fmt::format("{} {}: the answer is not JSON", request.method, request.target)});
  return json;
}

kube::Result<kube::Object> ApiClient::get(const kube::Resource& resource, const kube::Key& key) {
  auto json = call({.target = kube::apiPath(resource, key)});
  if (!json) return std::unexpected(json.error());
  return kube::Object(std::move(*json));
}

kube::Result<kube::ObjectList> ApiClient::list(const kube::Resource& resource, const std::string& namespace_,
                                               const std::string& labelSelector) {
  kube::ObjectList result;
  do {
    std::string target = fmt::format("{}?limit={}", kube::apiPath(resource, {namespace_, ""}), kPageSize);
    if (!labelSelector.empty()) target += "&labelSelector=" + kube::percentEncode(labelSelector);
    if (!result.continue_.empty()) target += "&continue=" + kube::percentEncode(result.continue_);
    auto page = call({.target = target});
    if (!page) return std::unexpected(page.error());
    const kube::Object list(std::move(*page));
    result.resourceVersion = list.stringAt("/metadata/resourceVersion");
    result.continue_ = list.stringAt("/metadata/continue");
    if (const Json* items = list.at("/items"); items != nullptr && items->is_array()) {
      for (const auto& item : *items) result.items.emplace_back(item);
    }
  } while (!result.continue_.empty());
  return result;
}

kube::Result<Applied> ApiClient::apply(const kube::Resource& resource, const Json& object, bool force) {
  const kube::Object wanted(object);
  const auto before = get(resource, wanted.key());
  if (!before && before.error().code != ErrorCode::notFound) return std::unexpected(before.error());
  kube::HttpRequest request{
      .method = "PATCH", .target = fmt::format("{}?fieldManager={}&force={}", kube::apiPath(resource, wanted.key()), kFieldManager, force)};
  request.contentType = "application/apply-patch+yaml";
  request.body = object.dump();
  auto after = call(std::move(request));
  if (!after) return std::unexpected(after.error());
  if (!before) return Applied::created;
  return kube::Object(std::move(*after)).resourceVersion() == before->resourceVersion() ? Applied::unchanged : Applied::configured;
}

kube::Result<void> ApiClient::remove(const kube::Resource& resource, const kube::Key& key) {
  const auto done = call({.method = "DELETE", .target = kube::apiPath(resource, key)});
  if (!done) return std::unexpected(done.error());
  return {};
}

kube::Result<void> ApiClient::scale(const kube::Resource& resource, const kube::Key& key, int replicas) {
  // The scale subresource cannot take the number away again.
  const char* subresource = replicas < 0 ? "" : "/scale";
  kube::HttpRequest request{.method = "PATCH",
                            .target = fmt::format("{}{}?fieldManager={}", kube::apiPath(resource, key), subresource, kFieldManager)};
  request.contentType = "application/merge-patch+json";
  request.body = Json{{"spec", {{"replicas", replicas < 0 ? Json() : Json(replicas)}}}}.dump();
  const auto done = call(std::move(request));
  if (!done) return std::unexpected(done.error());
  return {};
}

kube::Result<std::unique_ptr<kube::BodyStream>> ApiClient::open(const std::string& target) {
  auto response = transport_.stream({.target = target, .headers = {{"User-Agent", kFieldManager}}, .idleTimeout = kStreamIdle});
  if (!response) return std::unexpected(response.error());
  if (response->head.status < 400) return std::move(response->body);
  std::string body;
  for (;;) {
    auto part = response->body->next(std::chrono::seconds(5));
    if (!part || !*part || (*part)->empty()) break;
    body += **part;
  }
  return std::unexpected(kube::fromStatus(response->head.status, body));
}

kube::Result<std::unique_ptr<kube::BodyStream>> ApiClient::watch(const kube::Resource& resource, const kube::Key& key,
                                                                 const std::string& resourceVersion) {
  std::string target =
      kube::apiPath(resource, {key.namespace_, ""}) + "?watch=true&resourceVersion=" + kube::percentEncode(resourceVersion);
  if (!key.name.empty()) target += "&fieldSelector=" + kube::percentEncode("metadata.name=" + key.name);
  return open(target);
}

kube::Result<std::unique_ptr<kube::BodyStream>> ApiClient::logs(const kube::Key& function, const LogOptions& options) {
  std::string target = fmt::format("{}/log?follow={}&timestamps={}&prefix={}", kube::apiPath(kube::resources::functions, function),
                                   options.follow, options.timestamps, options.prefix);
  if (options.tail >= 0) target += fmt::format("&tailLines={}", options.tail);
  return open(target);
}

}  // namespace pilotlight::cli
