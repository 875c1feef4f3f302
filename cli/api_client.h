// The API server's REST calls that the commands make, over a Transport.
// Thread-safety: one thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kube/client.h"
#include "kube/transport.h"

namespace pilotlight::cli {

enum class Applied { created, configured, unchanged };

struct LogOptions {
  int tail = -1;  ///< -1: everything that is kept
  bool follow = false;
  bool timestamps = false;
  bool prefix = false;  ///< the pod's name before each line
};

class ApiClient {
 public:
  explicit ApiClient(kube::Transport& transport) : transport_(transport) {}

  kube::Result<kube::Object> get(const kube::Resource& resource, const kube::Key& key);
  /// All pages. An empty namespace means all of them.
  kube::Result<kube::ObjectList> list(const kube::Resource& resource, const std::string& namespace_, const std::string& labelSelector = "");
  kube::Result<Applied> apply(const kube::Resource& resource, const nlohmann::json& object, bool force);
  kube::Result<void> remove(const kube::Resource& resource, const kube::Key& key);
  kube::Result<void> scale(const kube::Resource& resource, const kube::Key& key, int replicas);
  /// Lines of {"type","object"} from `resourceVersion`; `name` empty: all.
  kube::Result<std::unique_ptr<kube::BodyStream>> watch(const kube::Resource& resource, const kube::Key& key,
                                                        const std::string& resourceVersion);
  kube::Result<std::unique_ptr<kube::BodyStream>> logs(const kube::Key& function, const LogOptions& options);

 private:
  kube::Result<nlohmann::json> call(kube::HttpRequest request);
  kube::Result<std::unique_ptr<kube::BodyStream>> open(const std::string& target);
  kube::Transport& transport_;
};

}  // namespace pilotlight::cli
