#include "kube/rest_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kube/meta.h"
#include "kube/rest_json.h"
#include "kube/rest_path.h"
#include "kube/rest_watch.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;

namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kApply = "application/apply-patch+yaml";  // JSON is YAML
constexpr const char* kMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
constexpr const char* kMetadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
constexpr const char* kMerge = "application/merge-patch+json";
constexpr std::size_t kMaxErrorBytes = 64U << 10;

/// The key of an object as the caller sends it; without a namespace it goes to "default".
Key keyOf(const Json& object) {
  if (!object.is_object()) return {};
  const std::string& namespace_ = metaString(object, "namespace");
  return {namespace_.empty() ? "default" : namespace_, metaString(object, "name")};
}

HttpRequest writing(std::string method, const Target& target, const Json& body, const char* type) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = target.text();
  request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  request.contentType = type;
  return request;
}

Effect effectOf(const HttpRequest& request) {
  return request.method == "GET" ? Effect::read : Effect::write;
}

/// The body of an answer that turned out to be an error.
std::string readError(BodyStream& body, std::chrono::steady_clock::time_point deadline) {
  std::string text;
  while (text.size() < kMaxErrorBytes) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto part = body.next(std::max(left, milliseconds(0)));
    if (!part || !*part || (*part)->empty()) break;
    text += **part;
  }
  return text;
}

}  // namespace

RestClient::RestClient(Transport& transport, RestOptions options) : transport_(transport), options_(std::move(options)) {}

void RestClient::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  transport_.shutdown();
}

bool RestClient::pause(milliseconds delay) {
  std::unique_lock lock(mutex_);
  return !stopping_.wait_for(lock, delay, [this] { return stopped_; });
}

double RestClient::jitter() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<>(0, 1)(random_);
}

Result<HttpResponse> RestClient::once(const Attempt& attempt, HttpRequest& request, Effect effect, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  request.deadline = std::clamp(left, milliseconds(1), options_.attemptTimeout);
  auto response = transport_.send(request);
  if (!response) {
    Error error = attempt.error(response.error().code, response.error().message);
    error.retryAfter = response.error().retryAfter;
    return std::unexpected(std::move(error));
  }
  if (response->status < 400) return response;
  const Error answer = answerError(response->status, response->body, response->header("Retry-After"), effect);
  Error error = attempt.error(answer.code, answer.message);
  error.retryAfter = answer.retryAfter;
  return std::unexpected(std::move(error));
}

Result<HttpResponse> RestClient::call(const Attempt& attempt, HttpRequest request) {
  const auto deadline = Clock::now() + options_.callTimeout;
  const Effect effect = effectOf(request);
  if (request.headers.empty()) request.headers = {{"Accept", kJson}};
  request.headers.push_back({"User-Agent", options_.userAgent});
  for (int tried = 1;; ++tried) {
    auto response = once(attempt, request, effect, deadline);
    if (response) return response;
    const auto delay = retryDelay(options_.retry, response.error(), effect, tried, jitter());
    if (!delay || Clock::now() + *delay >= deadline) return response;
    if (!pause(*delay)) return attempt.fail(ErrorCode::cancelled, "the client was shut down");
  }
}

Result<Object> RestClient::object(const Attempt& attempt, HttpRequest request) {
  const Effect effect = effectOf(request);
  auto response = call(attempt, std::move(request));
  if (!response) return std::unexpected(std::move(response.error()));
  auto json = parseWithoutManagedFields(response->body, 0);
  if (!json) return attempt.fail(effect == Effect::read ? ErrorCode::unavailable : ErrorCode::timeout, json.error());
  return Object(*std::move(json));
}

Result<Object> RestClient::get(const Resource& resource, const Key& key) {
  const Attempt attempt{"get", resource, key};
  if (key.name.empty()) return attempt.fail(ErrorCode::badRequest, "a name is required");
  return object(attempt, {.target = apiPath(resource, key)});
}

Result<ObjectList> RestClient::page(const Attempt& attempt, const Resource& resource, const ListOptions& options) {
  const auto target = Target(apiPath(resource, {options.namespace_, ""}))
                          .with("limit", options.limit == 0 ? "" : std::to_string(options.limit))
                          .with("continue", options.continue_)
                          .with("labelSelector", options.labelSelector)
                          .with("fieldSelector", options.fieldSelector);
  auto response = call(attempt, {.target = target.text(), .headers = {{"Accept", options.metadataOnly ? kMetadataList : kJson}}});
  if (!response) return std::unexpected(std::move(response.error()));
  auto list = parseList(response->body, resource);
  if (!list) return attempt.fail(ErrorCode::unavailable, list.error());
  return *std::move(list);
}

Result<ObjectList> RestClient::list(const Resource& resource, const ListOptions& options) {
  const Attempt attempt{"list", resource, {options.namespace_, ""}};
  if (options.limit < 0) return attempt.fail(ErrorCode::badRequest, "limit: must be at least 0");
  if (options.limit > 0 || !options.continue_.empty()) return page(attempt, resource, options);
  ListOptions paged = options;
  paged.limit = options_.pageSize;
  ObjectList whole;
  for (int restarts = 0;;) {
    auto part = page(attempt, resource, paged);
    if (!part && part.error().code == ErrorCode::gone && !paged.continue_.empty() && restarts++ < options_.listRestarts) {
      whole.items.clear();
      paged.continue_.clear();
      continue;
    }
    if (!part) return part;
    whole.resourceVersion = std::move(part->resourceVersion);
    std::ranges::move(part->items, std::back_inserter(whole.items));
    if (part->continue_.empty()) return whole;
    paged.continue_ = std::move(part->continue_);
  }
}

Result<std::unique_ptr<WatchStream>> RestClient::watch(const Resource& resource, const WatchOptions& options) {
  const Attempt attempt{"watch", resource, {options.namespace_, ""}};
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(options.timeout).count());
  const auto target = Target(apiPath(resource, {options.namespace_, ""}))
                          .with("watch", "true")
                          .with("allowWatchBookmarks", "true")
                          .with("resourceVersion", options.resourceVersion)
                          .with("labelSelector", options.labelSelector)
                          .with("fieldSelector", options.fieldSelector)
                          .with("timeoutSeconds", std::to_string(seconds));
  const auto deadline = Clock::now() + options_.attemptTimeout;
  auto response = transport_.stream({.target = target.text(),
                                     .headers = {{"Accept", options.metadataOnly ? kMetadata : kJson}, {"User-Agent", options_.userAgent}},
                                     .idleTimeout = options.timeout + options_.watchMargin,
                                     .deadline = options_.attemptTimeout});
  if (!response)
    return attempt.fail(response.error().code == ErrorCode::timeout ? ErrorCode::unavailable : response.error().code,
                        response.error().message);
  if (response->head.status < 400) {
    return std::make_unique<RestWatch>(std::move(response->body), resource, options.namespace_, options_.maxEventBytes);
  }
  const std::string body = readError(*response->body, deadline);
  const Error answer = answerError(response->head.status, body, response->head.header("Retry-After"), Effect::read);
  Error error = attempt.error(answer.code == ErrorCode::timeout ? ErrorCode::unavailable : answer.code, answer.message);
  error.retryAfter = answer.retryAfter;
  return std::unexpected(std::move(error));
}

Result<Object> RestClient::create(const Resource& resource, const Json& sent, const std::string& fieldManager) {
  const Key key = keyOf(sent);
  const auto target = Target(apiPath(resource, {key.namespace_, ""})).with("fieldManager", fieldManager);
  return object({"create", resource, key}, writing("POST", target, sent, kJson));
}

Result<Object> RestClient::update(const Resource& resource, const Json& sent, const std::string& fieldManager) {
  const Attempt attempt{"update", resource, keyOf(sent)};
  if (attempt.key.name.empty()) return attempt.fail(ErrorCode::badRequest, "metadata.name: required");
  return object(attempt, writing("PUT", Target(apiPath(resource, attempt.key)).with("fieldManager", fieldManager), sent, kJson));
}

Result<Object> RestClient::applyTo(const Attempt& attempt, const Json& sent, const ApplyOptions& options, const std::string& subresource) {
  if (attempt.key.name.empty()) return attempt.fail(ErrorCode::badRequest, "metadata.name: required");
  const auto target = Target(apiPath(attempt.resource, attempt.key), subresource)
                          .with("fieldManager", options.fieldManager)
                          .with("force", options.force ? "true" : "")
                          .with("dryRun", options.dryRun ? "All" : "");
  return object(attempt, writing("PATCH", target, sent, kApply));
}

Result<Object> RestClient::apply(const Resource& resource, const Json& sent, const ApplyOptions& options) {
  return applyTo({"apply", resource, keyOf(sent)}, sent, options, "");
}

Result<Object> RestClient::applyStatus(const Resource& resource, const Json& sent, const ApplyOptions& options) {
  return applyTo({"apply status of", resource, keyOf(sent)}, sent, options, "status");
}

Result<Object> RestClient::mergePatch(const Resource& resource, const Key& key, const Json& patch, const std::string& fieldManager,
                                      const std::string& subresource) {
  const Attempt attempt{subresource == "status" ? "patch status of" : "patch", resource, key};
  if (key.name.empty()) return attempt.fail(ErrorCode::badRequest, "a name is required");
  const auto target = Target(apiPath(resource, key), subresource).with("fieldManager", fieldManager);
  return object(attempt, writing("PATCH", target, patch, kMerge));
}

Result<Object> RestClient::patchScale(const Resource& resource, const Key& key, int replicas, const std::string& resourceVersion,
                                      const std::string& fieldManager) {
  const Attempt attempt{"patch scale of", resource, key};
  if (key.name.empty()) return attempt.fail(ErrorCode::badRequest, "a name is required");
  Json patch = {{"spec", {{"replicas", replicas}}}};
  if (!resourceVersion.empty()) patch["metadata"]["resourceVersion"] = resourceVersion;
  const auto target = Target(apiPath(resource, key), "scale").with("fieldManager", fieldManager);
  return object(attempt, writing("PATCH", target, patch, kMerge));
}

Result<void> RestClient::remove(const Resource& resource, const Key& key, const DeleteOptions& options) {
  const Attempt attempt{"delete", resource, key};
  if (key.name.empty()) return attempt.fail(ErrorCode::badRequest, "a name is required");
  Json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resourceVersion.empty()) body["preconditions"]["resourceVersion"] = options.resourceVersion;
  if (options.gracePeriodSeconds) body["gracePeriodSeconds"] = *options.gracePeriodSeconds;
  auto response = call(attempt, writing("DELETE", Target(apiPath(resource, key)), body, kJson));
  if (!response) return std::unexpected(std::move(response.error()));
  return {};
}

}  // namespace pilotlight::kube
