#include "gateway/places.h"

#include "gateway/place_asker.h"

namespace pilotlight::gateway {

Places::Places(Owners& owners, CallHomeKeys& keys, const OwnersOptions& options, Find find)
    : owners_(owners), keys_(keys), options_(options), find_(std::move(find)) {
  net::ClientOptions client;
  client.connectTimeout = options.connectTimeout;
  pool_ = std::make_unique<net::ClientPool>(loop_, client);
}

Places::~Places() {
  stop();
}

void Places::start() {
  thread_ = std::thread([this] { loop_.run(); });
}

void Places::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    askers_.clear();
    pool_.reset();
  });
  loop_.stop();
  thread_.join();
}

void Places::changed(const kube::Key& function) {
  loop_.post([this, function] {
    auto entry = find_(function);
    if (!entry || !pool_) return;
    auto& asker = askers_[function];
    if (asker && &asker->entry() != entry.get()) loop_.destroyLater(std::move(asker));  // of one of this name that is gone
    if (!asker) asker = std::make_unique<Asker>(*this, std::move(entry));
    asker->changed();
  });
}

void Places::forget(Asker& asker) {
  const auto found = askers_.find(asker.entry().key());
  if (found == askers_.end() || found->second.get() != &asker) return;  // it is about to be destroyed
  loop_.destroyLater(std::move(found->second));
  askers_.erase(found);
}

}  // namespace pilotlight::gateway
