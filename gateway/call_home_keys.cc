#include "gateway/call_home_keys.h"

#include <algorithm>

#include "callhome/key_files.h"
#include "callhome/signature.h"

namespace pilotlight::gateway {

CallHomeKeys::CallHomeKeys(const CallHomeOptions& options, std::function<void(const std::string& error)> failed)
    : folder_(options.keyFolder),
      refresh_(options.keyRefresh),
      failed_(std::move(failed)),
      open_(options.keyFolder.empty() && options.keys.empty()),
      known_(std::make_shared<const std::vector<std::string>>(options.keys)) {
  if (!folder_.empty()) readAgain();
}

CallHomeKeys::Keys CallHomeKeys::known() {
  std::lock_guard lock(mutex_);
  return known_;
}

CallHomeKeys::Keys CallHomeKeys::readAgain() {
  std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (folder_.empty() || (readAt_ != std::chrono::steady_clock::time_point{} && now - readAt_ < refresh_)) return nullptr;
  readAt_ = now;
  auto keys = callhome::readKeys(folder_);
  if (!keys) {
    failed_(keys.error());
    return nullptr;
  }
  known_ = std::make_shared<const std::vector<std::string>>(std::move(*keys));
  return known_;
}

template <class Derive>
bool CallHomeKeys::signedWith(Derive derive, std::string_view body, std::string_view signature) {
  if (open_) return true;
  const auto right = [&](const Keys& keys) {
    return keys && std::ranges::any_of(*keys, [&](const std::string& key) { return callhome::verify(derive(key), body, signature); });
  };
  return right(known()) || right(readAgain());
}

bool CallHomeKeys::signedByPod(const Registration& registration, std::string_view body, std::string_view signature) {
  return signedWith([&](const std::string& key) { return callhome::functionKey(key, registration.namespace_, registration.function); },
                    body, signature);
}

bool CallHomeKeys::signedByGateway(std::string_view body, std::string_view signature) {
  return signedWith([](const std::string& key) { return callhome::gatewayKey(key); }, body, signature);
}

std::string CallHomeKeys::signAsGateway(std::string_view body) {
  const Keys keys = known();
  return keys->empty() ? std::string() : callhome::sign(callhome::gatewayKey(keys->front()), body);
}

}  // namespace pilotlight::gateway
