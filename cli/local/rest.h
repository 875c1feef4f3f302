// The Kubernetes REST API over a kube::Client, apart from sockets: paths, queries, verbs, answers.
// Thread-safety: pure but for the client.
#pragma once

#include <expected>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "kube/client.h"

namespace pilotlight::local {

using Query = std::map<std::string, std::string>;

struct ApiPath {
  kube::Resource resource;
  std::string namespace_;   ///< empty: all namespaces
  std::string name;         ///< empty: the collection
  std::string subresource;  ///< "", "status", "scale", "log"
};

/// /api/v1/[namespaces/{ns}/]{plural}[/{name}[/{subresource}]] and the same under /apis/{group}/{version}; nullopt for
/// anything else.
std::optional<ApiPath> parseApiPath(std::string_view path);
/// Percent-decoded; the last of equal names wins.
Query parseQuery(std::string_view query);
std::string percentDecode(std::string_view text);

struct ApiRequest {
  std::string method;
  ApiPath path;
  Query query;
  std::string contentType;
  std::string body;
  std::string fieldManagerDefault = "unknown";  ///< from User-Agent, as the API server does
  bool asTable = false;                         ///< Accept: application/json;as=Table
  bool metadataOnly = false;                    ///< Accept: application/json;as=PartialObjectMetadata or its List
};

struct ApiResponse {
  int status = 200;
  kube::Json body;
};

/// Everything but watches and logs.
ApiResponse handleApi(kube::Client& client, const ApiRequest& request);

/// Field selectors with = (or ==) on metadata.name and metadata.namespace and, for events, involvedObject's kind, name,
/// namespace and uid; the error names what is not supported.
struct FieldSelector {
  std::map<std::string, std::string> wanted;  ///< by JSON pointer
  bool matches(const kube::Object& object) const;
};
std::expected<FieldSelector, kube::Error> parseFieldSelector(const Query& query);

/// A pull of watch lines: {"type":"ADDED","object":…}\n
class WatchLines {
 public:
  static kube::Result<std::unique_ptr<WatchLines>> open(kube::Client& client, const ApiRequest& request);
  /// nullopt: the watch is over. Empty: nothing within `wait`.
  std::optional<std::string> next(std::chrono::milliseconds wait);
  void cancel() { stream_->cancel(); }  ///< from any thread

 private:
  WatchLines() = default;
  kube::Json shown(const kube::Object& object) const;
  std::unique_ptr<kube::WatchStream> stream_;
  FieldSelector fields_;
  kube::Resource resource_;
  bool asTable_ = false;
  bool metadataOnly_ = false;
  std::string initial_;  // lines for what is there already
  bool over_ = false;
};

}  // namespace pilotlight::local
