// What the Kubernetes API talks about: resources, keys, objects, errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::kube {

using Json = nlohmann::json;

/// A resource as the API server names it. Comparable; use the constants below.
struct Resource {
  std::string group;  ///< "" for core
  std::string version;
  std::string plural;
  std::string kind;
  std::string apiVersion() const { return group.empty() ? version : group + "/" + version; }
  auto operator<=>(const Resource&) const = default;
};

namespace resources {
extern const Resource functions, functionVersions, functionRoutes;
extern const Resource pods, services, serviceAccounts, secrets, configMaps, events, deployments, leases, networkPolicies,
    podDisruptionBudgets;
/// All of the above.
const std::vector<Resource>& all();
/// By kind and apiVersion; nullptr when unknown.
const Resource* find(std::string_view apiVersion, std::string_view kind);
}  // namespace resources

struct Key {
  std::string namespace_;
  std::string name;
  std::string toString() const { return namespace_ + "/" + name; }
  auto operator<=>(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept;
};

/// An immutable object as the API server returned it. Cheap to copy; safe to share between threads.
class Object {
 public:
  Object() = default;
  explicit Object(Json json);
  explicit Object(std::shared_ptr<const Json> json) : json_(std::move(json)) {}

  explicit operator bool() const { return json_ != nullptr; }
  const Json& json() const { return *json_; }

  // Accessors return "" / 0 / nullptr when the field is absent.
  Key key() const;
  const std::string& name() const;
  const std::string& namespace_() const;
  const std::string& uid() const;
  const std::string& resourceVersion() const;
  std::int64_t generation() const;
  bool deleting() const;  ///< has a deletionTimestamp
  const std::string& label(std::string_view name) const;
  const std::string& annotation(std::string_view name) const;
  /// By JSON pointer: at("/spec/replicas"); nullptr when absent.
  const Json* at(std::string_view pointer) const;
  std::int64_t intAt(std::string_view pointer, std::int64_t absent = 0) const;
  const std::string& stringAt(std::string_view pointer) const;

 private:
  std::shared_ptr<const Json> json_;
};

enum class ErrorCode {
  notFound,         ///< 404
  alreadyExists,    ///< 409 on create
  conflict,         ///< 409: resourceVersion or field ownership
  gone,             ///< 410: the asked resourceVersion is too old; list again
  invalid,          ///< 422: schema or rule broken; retrying is useless
  badRequest,       ///< 400
  forbidden,        ///< 401, 403
  tooManyRequests,  ///< 429
  timeout,          ///< no answer in time: the write may or may not have happened
  unavailable,      ///< no connection, 5xx
  cancelled,        ///< stop was asked for
};

struct Error {
  ErrorCode code = ErrorCode::unavailable;
  std::string message;  ///< what was attempted on what, and why it failed: "patch deployments shop/orders: 409 conflict: …"
  std::optional<std::chrono::milliseconds> retryAfter{};
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace pilotlight::kube
