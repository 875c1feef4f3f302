#include <charconv>
#include <nlohmann/json.hpp>

#include "cli/local/rest.h"
#include "cli/printers.h"
#include "kube/selector.h"
#include "kube/status.h"

namespace pilotlight::local {

using kube::Json;
using Type = kube::WatchEvent::Type;

namespace {

const char* nameOf(Type type) {
  switch (type) {
    case Type::added:
      return "ADDED";
    case Type::modified:
      return "MODIFIED";
    case Type::deleted:
      return "DELETED";
    case Type::bookmark:
      return "BOOKMARK";
  }
  return "ERROR";
}

std::string line(const char* type, const Json& object) {
  return Json{{"type", type}, {"object", object}}.dump() + "\n";
}

std::string value(const Query& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

}  // namespace

kube::Result<std::unique_ptr<WatchLines>> WatchLines::open(kube::Client& client, const ApiRequest& request) {
  std::unique_ptr<WatchLines> lines(new WatchLines);
  const auto fields = parseFieldSelector(request.query);
  if (!fields) return std::unexpected(fields.error());
  lines->fields_ = *fields;
  lines->asTable_ = request.asTable;
  lines->metadataOnly_ = request.metadataOnly;
  lines->resource_ = request.path.resource;
  if (!request.path.name.empty()) lines->fields_.wanted["/metadata/name"] = request.path.name;
  kube::WatchOptions options{request.path.namespace_, value(request.query, "labelSelector"), value(request.query, "resourceVersion")};
  if (const auto text = value(request.query, "timeoutSeconds"); !text.empty()) {
    int seconds = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec == std::errc{} && seconds > 0) {
      options.timeout = std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds), std::chrono::hours(1));
    }
  }
  if (options.resourceVersion.empty() || options.resourceVersion == "0") {  // "from what is there": that comes first
    const auto list = client.list(request.path.resource, {options.namespace_, options.labelSelector, 0, ""});
    if (!list) return std::unexpected(list.error());
    for (const auto& item : list->items) {
      if (!lines->fields_.matches(item)) continue;
      lines->initial_ += line("ADDED", lines->shown(item));
    }
    options.resourceVersion = list->resourceVersion;
  }
  auto stream = client.watch(request.path.resource, options);
  if (!stream) return std::unexpected(stream.error());
  lines->stream_ = std::move(*stream);
  return lines;
}

std::optional<std::string> WatchLines::next(std::chrono::milliseconds wait) {
  if (!initial_.empty()) return std::exchange(initial_, {});
  if (over_) return std::nullopt;
  const auto event = stream_->next(wait);
  if (!event) {
    over_ = true;
    if (event.error().code == kube::ErrorCode::timeout || event.error().code == kube::ErrorCode::cancelled) return std::nullopt;
    return line("ERROR", kube::toStatus(event.error()));
  }
  if (!*event) return "";
  const auto& [type, object] = **event;
  if (type != Type::bookmark && !fields_.matches(object)) return "";
  return line(nameOf(type), type == Type::bookmark ? object.json() : shown(object));
}

Json WatchLines::shown(const kube::Object& object) const {
  if (asTable_) return cli::toTable(resource_, {object}, object.resourceVersion());
  return metadataOnly_ ? kube::metadataOf(object).json() : object.json();
}

}  // namespace pilotlight::local
