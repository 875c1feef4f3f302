// The Kubernetes API over HTTP.
//
// Thread-safety: as Client. The Transport must outlive it, and it its watches.
// Errors carry the verb, the resource and the key, and what the server said.
// Bounds: every call ends within `callTimeout`, its attempts and waits included; a page and an event have at most as many
// bytes as the options say; what a watch's reader leaves is bounded by the transport.
// metadata.managedFields, half of many objects' bytes, is dropped while an answer is parsed.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <string>

#include "kube/client.h"
#include "kube/errors.h"
#include "kube/rest_retry.h"
#include "kube/transport.h"

namespace pilotlight::kube {

struct RestOptions {
  std::string userAgent = "pilotlight";
  std::chrono::milliseconds callTimeout{std::chrono::seconds(30)};     ///< one call with all its attempts
  std::chrono::milliseconds attemptTimeout{std::chrono::seconds(15)};  ///< one answer; of a watch: its head
  RetryOptions retry{};
  int pageSize = 500;    ///< of lists without a limit: they are read page by page
  int listRestarts = 3;  ///< such a list begins again so many times when its pages have expired (410)
  std::chrono::milliseconds watchMargin{std::chrono::seconds(30)};  ///< a watch silent for its timeout + this is dead
  std::size_t maxEventBytes = 16U << 20;
};

class RestClient final : public Client {
 public:
  explicit RestClient(Transport& transport, RestOptions options = {});

  /// Ends waiting and later calls with `cancelled`; the transport's too. Watches end by their own cancel().
  void shutdown();

  Result<Object> get(const Resource& resource, const Key& key) override;
  /// With a limit: that page, and Error.gone when its token has expired. Without: all pages, as one consistent list.
  Result<ObjectList> list(const Resource& resource, const ListOptions& options) override;
  Result<std::unique_ptr<WatchStream>> watch(const Resource& resource, const WatchOptions& options) override;
  Result<Object> create(const Resource& resource, const Json& object, const std::string& fieldManager) override;
  Result<Object> update(const Resource& resource, const Json& object, const std::string& fieldManager) override;
  Result<Object> apply(const Resource& resource, const Json& object, const ApplyOptions& options) override;
  Result<Object> applyStatus(const Resource& resource, const Json& object, const ApplyOptions& options) override;
  Result<Object> mergePatch(const Resource& resource, const Key& key, const Json& patch, const std::string& fieldManager,
                            const std::string& subresource) override;
  Result<Object> patchScale(const Resource& resource, const Key& key, int replicas, const std::string& resourceVersion,
                            const std::string& fieldManager) override;
  Result<void> remove(const Resource& resource, const Key& key, const DeleteOptions& options) override;

 private:
  using Clock = std::chrono::steady_clock;
  /// One request, sent again as rest_retry.h says, until the call's time is over.
  Result<HttpResponse> call(const Attempt& attempt, HttpRequest request);
  Result<HttpResponse> once(const Attempt& attempt, HttpRequest& request, Effect effect, Clock::time_point deadline);
  Result<Object> object(const Attempt& attempt, HttpRequest request);
  Result<ObjectList> page(const Attempt& attempt, const Resource& resource, const ListOptions& options);
  Result<Object> applyTo(const Attempt& attempt, const Json& object, const ApplyOptions& options, const std::string& subresource);
  bool pause(std::chrono::milliseconds delay);  ///< false: shut down
  double jitter();

  Transport& transport_;
  const RestOptions options_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;  // guarded by mutex_, as the next
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace pilotlight::kube
