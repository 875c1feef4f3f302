// Who is believed when it says that a replica is there: see lib/callhome/signature.h. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/registration.h"

namespace pilotlight::gateway {

struct CallHomeOptions {
  std::vector<std::string> keys{};  ///< the current one first
  std::string keyFolder{};          ///< rather than `keys`: callhome/key_files.h
  /// Between two looks at the folder: at most as often as this, when something is signed with a key that is not known.
  std::chrono::milliseconds keyRefresh{std::chrono::seconds(1)};
  /// Of one call to another gateway, and the calls that are made for a registration that it did not take.
  std::chrono::milliseconds peerTimeout{std::chrono::seconds(1)};
  int peerTries = 3;
  std::chrono::milliseconds peerPause{50};  ///< between them
  std::size_t peerCalls = 1024;             ///< at once, of an event loop; more are not made: the API tells later anyway
};

class CallHomeKeys {
 public:
  /// `failed`: the folder could not be read. Neither keys nor folder: everybody is believed, which is for tests.
  CallHomeKeys(const CallHomeOptions& options, std::function<void(const std::string& error)> failed);

  bool signedByPod(const Registration& registration, std::string_view body, std::string_view signature);
  bool signedByGateway(std::string_view body, std::string_view signature);
  std::string signAsGateway(std::string_view body);  ///< empty: nobody asks for it

  bool open() const { return open_; }

 private:
  using Keys = std::shared_ptr<const std::vector<std::string>>;
  template <class Derive>
  bool signedWith(Derive derive, std::string_view body, std::string_view signature);
  Keys known();
  Keys readAgain();  // null: not now

  const std::string folder_;
  const std::chrono::milliseconds refresh_;
  const std::function<void(const std::string&)> failed_;
  const bool open_;  // everybody is believed
  std::mutex mutex_;
  Keys known_;                                      // guarded by mutex_
  std::chrono::steady_clock::time_point readAt_{};  // guarded by mutex_
};

}  // namespace pilotlight::gateway
