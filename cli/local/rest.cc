#include "cli/local/rest.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "cli/printers.h"
#include "kube/selector.h"
#include "kube/status.h"
#include "kube/yaml.h"

namespace pilotlight::local {

using kube::Error;
using kube::ErrorCode;
using kube::Json;

namespace {

std::string value(const Query& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

bool isTrue(const Query& query, const char* name) {
  const auto text = value(query, name);
  return text == "true" || text == "1";
}

Error bad(std::string message) {
  return Error{ErrorCode::badRequest, std::move(message)};
}

ApiResponse failure(const Error& error) {
  return {kube::httpStatus(error.code), kube::toStatus(error)};
}

ApiResponse answer(const kube::Result<kube::Object>& result, int status = 200) {
  return result ? ApiResponse{status, result->json()} : failure(result.error());
}

std::string fieldManager(const ApiRequest& request) {
  auto manager = value(request.query, "fieldManager");
  return manager.empty() ? request.fieldManagerDefault : manager;
}

std::expected<Json, Error> parseBody(const ApiRequest& request) {
  if (request.contentType.find("yaml") != std::string::npos) {
    auto json = kube::yamlToJson(request.body);
    if (!json) return std::unexpected(bad("body: " + json.error()));
    return *json;
  }
  auto json = Json::parse(request.body, nullptr, false);
  if (json.is_discarded()) return std::unexpected(bad("body: not JSON"));
  return json;
}

/// The path decides; a body may repeat it but not contradict it.
std::expected<void, Error> placeInto(Json& object, const ApiPath& path) {
  const auto require = [&](Json& parent, const char* field, const std::string& wanted) -> std::expected<void, Error> {
    Json& slot = parent[field];
    if (slot.is_null()) slot = wanted;
    if (slot == wanted) return {};
    return std::unexpected(bad(fmt::format("{} in the body is {}, in the path {}", field, slot.dump(), wanted)));
  };
  Json& metadata = object["metadata"];
  if (metadata.is_null()) metadata = Json::object();
  if (!metadata.is_object()) return std::unexpected(bad("metadata: must be an object"));
  if (auto done = require(object, "apiVersion", path.resource.apiVersion()); !done) return done;
  if (auto done = require(object, "kind", path.resource.kind); !done) return done;
  if (auto done = require(metadata, "namespace", path.namespace_); !done) return done;
  return path.name.empty() ? std::expected<void, Error>{} : require(metadata, "name", path.name);
}

std::expected<Json, Error> readObject(const ApiRequest& request) {
  auto body = parseBody(request);
  if (!body) return body;
  if (!body->is_object()) return std::unexpected(bad("body: must be an object"));
  if (auto placed = placeInto(*body, request.path); !placed) return std::unexpected(placed.error());
  return body;
}

ApiResponse get(kube::Client& client, const ApiRequest& request) {
  const auto object = client.get(request.path.resource, {request.path.namespace_, request.path.name});
  if (!object || request.path.subresource != "scale") {
    if (object && request.asTable) return {200, cli::toTable(request.path.resource, {*object}, "")};
    return answer(object);
  }
  return {200,
          {{"apiVersion", "autoscaling/v1"},
           {"kind", "Scale"},
           {"metadata", {{"name", object->name()}, {"namespace", object->namespace_()}, {"resourceVersion", object->resourceVersion()}}},
           {"spec", {{"replicas", object->intAt("/spec/replicas")}}},
           {"status", {{"replicas", object->intAt("/status/replicas")}, {"selector", object->stringAt("/status/selector")}}}}};
}

ApiResponse list(kube::Client& client, const ApiRequest& request) {
  const auto fields = parseFieldSelector(request.query);
  if (!fields) return failure(fields.error());
  kube::ListOptions options{request.path.namespace_, value(request.query, "labelSelector"), 0, value(request.query, "continue")};
  const auto limit = value(request.query, "limit");
  if (!limit.empty() && std::from_chars(limit.data(), limit.data() + limit.size(), options.limit).ec != std::errc{}) {
    return failure(bad("limit: must be a number"));
  }
  const auto page = client.list(request.path.resource, options);
  if (!page) return failure(page.error());
  std::vector<kube::Object> items;
  for (const auto& item : page->items) {
    if (fields->matches(item)) items.push_back(item);
  }
  Json body;
  if (request.asTable) {
    body = cli::toTable(request.path.resource, items, page->resourceVersion);
  } else {
    body = {{"apiVersion", request.path.resource.apiVersion()},
            {"kind", request.path.resource.kind + "List"},
            {"metadata", {{"resourceVersion", page->resourceVersion}}},
            {"items", Json::array()}};
    for (const auto& item : items) body["items"].push_back(request.metadataOnly ? kube::metadataOf(item).json() : item.json());
  }
  if (!page->continue_.empty()) body["metadata"]["continue"] = page->continue_;
  return {200, std::move(body)};
}

ApiResponse patchScale(kube::Client& client, const ApiRequest& request, const Json& patch) {
  const Json* replicas = nullptr;
  if (const auto spec = patch.find("spec"); spec != patch.end() && spec->is_object() && spec->contains("replicas"))
    replicas = &(*spec)["replicas"];
  if (replicas == nullptr || !replicas->is_number_integer()) return failure(bad("spec.replicas: must be a whole number"));
  const auto count = replicas->get<std::int64_t>();
  if (count < 0 || count > 1'000'000) return failure(Error{ErrorCode::invalid, "spec.replicas: must be from 0 to 1000000"});
  std::string version;
  if (const auto metadata = patch.find("metadata"); metadata != patch.end() && metadata->is_object()) {
    if (const auto slot = metadata->find("resourceVersion"); slot != metadata->end() && slot->is_string()) version = *slot;
  }
  const kube::Key key{request.path.namespace_, request.path.name};
  const auto done = client.patchScale(request.path.resource, key, static_cast<int>(count), version, fieldManager(request));
  if (!done) return failure(done.error());
  return get(client, request);
}

ApiResponse applyPatch(kube::Client& client, const ApiRequest& request) {
  const auto manager = value(request.query, "fieldManager");
  if (manager.empty()) return failure(bad("fieldManager: required for apply"));
  const auto object = readObject(request);
  if (!object) return failure(object.error());
  const kube::ApplyOptions options{manager, isTrue(request.query, "force"), value(request.query, "dryRun") == "All"};
  if (request.path.subresource == "status") return answer(client.applyStatus(request.path.resource, *object, options));
  if (request.path.subresource == "scale") return patchScale(client, request, *object);
  const bool existed = client.get(request.path.resource, {request.path.namespace_, request.path.name}).has_value();
  return answer(client.apply(request.path.resource, *object, options), existed ? 200 : 201);
}

ApiResponse patch(kube::Client& client, const ApiRequest& request) {
  if (request.contentType.starts_with("application/apply-patch+yaml")) return applyPatch(client, request);
  if (!request.contentType.starts_with("application/merge-patch+json")) {
    return {415,
            {{"kind", "Status"},
             {"apiVersion", "v1"},
             {"metadata", Json::object()},
             {"status", "Failure"},
             {"reason", "UnsupportedMediaType"},
             {"code", 415},
             {"message", "the patch types application/apply-patch+yaml and application/merge-patch+json are supported"}}};
  }
  if (!value(request.query, "dryRun").empty()) return failure(bad("dryRun: supported for apply only"));
  const auto body = parseBody(request);
  if (!body) return failure(body.error());
  if (!body->is_object()) return failure(bad("body: must be an object"));
  if (request.path.subresource == "scale") return patchScale(client, request, *body);
  const kube::Key key{request.path.namespace_, request.path.name};
  return answer(client.mergePatch(request.path.resource, key, *body, fieldManager(request), request.path.subresource));
}

ApiResponse put(kube::Client& client, const ApiRequest& request) {
  auto object = readObject(request);
  if (!object && request.path.subresource == "scale") object = parseBody(request);  // a Scale is of another kind
  if (!object) return failure(object.error());
  if (request.path.subresource == "scale") return patchScale(client, request, *object);
  if (request.path.subresource == "status") {
    const kube::Key key{request.path.namespace_, request.path.name};
    return answer(client.mergePatch(request.path.resource, key, {{"status", object->value("status", Json::object())}},
                                    fieldManager(request), "status"));
  }
  return answer(client.update(request.path.resource, *object, fieldManager(request)));
}

ApiResponse remove(kube::Client& client, const ApiRequest& request) {
  kube::DeleteOptions options;
  if (!request.body.empty()) {
    const auto body = parseBody(request);
    if (!body) return failure(body.error());
    if (body->is_object()) {
      if (const auto grace = body->find("gracePeriodSeconds"); grace != body->end() && grace->is_number_integer())
        options.gracePeriodSeconds = *grace;
      const auto conditions = body->value("preconditions", Json::object());
      if (conditions.is_object() && conditions.contains("uid") && conditions["uid"].is_string()) options.uid = conditions["uid"];
      if (conditions.is_object() && conditions.contains("resourceVersion") && conditions["resourceVersion"].is_string()) {
        options.resourceVersion = conditions["resourceVersion"];
      }
    }
  }
  const kube::Key key{request.path.namespace_, request.path.name};
  const auto before = client.get(request.path.resource, key);
  if (!before) return failure(before.error());
  if (const auto done = client.remove(request.path.resource, key, options); !done) return failure(done.error());
  return {200,
          {{"kind", "Status"},
           {"apiVersion", "v1"},
           {"metadata", Json::object()},
           {"status", "Success"},
           {"details",
            {{"name", key.name}, {"group", request.path.resource.group}, {"kind", request.path.resource.plural}, {"uid", before->uid()}}}}};
}

ApiResponse create(kube::Client& client, const ApiRequest& request) {
  if (request.path.namespace_.empty()) return failure(bad("create: the path must name a namespace"));
  const auto object = readObject(request);
  if (!object) return failure(object.error());
  return answer(client.create(request.path.resource, *object, fieldManager(request)), 201);
}

ApiResponse dispatch(kube::Client& client, const ApiRequest& request) {
  const bool item = !request.path.name.empty();
  const auto& sub = request.path.subresource;
  if (!sub.empty() && sub != "status" && sub != "scale") return failure(Error{ErrorCode::notFound, "no such subresource: " + sub});
  if (request.method == "GET") return item ? get(client, request) : list(client, request);
  if (request.method == "PATCH" && item) return patch(client, request);
  if (!value(request.query, "dryRun").empty()) return failure(bad("dryRun: supported for apply only"));
  if (request.method == "POST" && !item) return create(client, request);
  if (request.method == "PUT" && item) return put(client, request);
  if (request.method == "DELETE" && item && sub.empty()) return remove(client, request);
  return {405,
          {{"kind", "Status"},
           {"apiVersion", "v1"},
           {"metadata", Json::object()},
           {"status", "Failure"},
           {"reason", "MethodNotAllowed"},
           {"code", 405},
           {"message", request.method + " is not allowed here"}}};
}

}  // namespace

ApiResponse handleApi(kube::Client& client, const ApiRequest& request) {
  try {
    return dispatch(client, request);
  } catch (const std::exception& error) {  // a body of unexpected shapes
    return failure(bad(error.what()));
  }
}

bool FieldSelector::matches(const kube::Object& object) const {
  for (const auto& [pointer, value] : wanted) {
    if (object.stringAt(pointer) != value) return false;
  }
  return true;
}

std::expected<FieldSelector, Error> parseFieldSelector(const Query& query) {
  static const std::map<std::string, std::string, std::less<>> supported = {
      {"metadata.name", "/metadata/name"},
      {"metadata.namespace", "/metadata/namespace"},
      {"involvedObject.kind", "/involvedObject/kind"},
      {"involvedObject.name", "/involvedObject/name"},
      {"involvedObject.namespace", "/involvedObject/namespace"},
      {"involvedObject.uid", "/involvedObject/uid"},
      {"reason", "/reason"},
  };
  FieldSelector result;
  const std::string text = value(query, "fieldSelector");
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto term = text.substr(at, end - at);
    at = end + 1;
    const auto equals = std::min(term.find('='), term.size());
    const auto field = supported.find(term.substr(0, equals));
    if (field == supported.end()) {
      return std::unexpected(bad(fmt::format("fieldSelector: {} is not supported; metadata.name=… and metadata.namespace=… are", term)));
    }
    result.wanted[field->second] = term.substr(std::min(term.find_first_not_of('=', equals), term.size()));
  }
  return result;
}

}  // namespace pilotlight::local
