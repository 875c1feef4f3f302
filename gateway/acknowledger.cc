#include "gateway/acknowledger.h"

#include <nlohmann/json.hpp>

#include "api/api.h"

namespace pilotlight::gateway {

Acknowledger::Acknowledger(kube::Client& client, std::string gatewayName, AcknowledgerOptions options, Log log)
    : client_(client), gatewayName_(std::move(gatewayName)), options_(options), log_(std::move(log)) {}

Acknowledger::~Acknowledger() {
  stop();
}

void Acknowledger::start() {
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

void Acknowledger::stop() {
  queue_.shutDown();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Acknowledger::served(const kube::Key& route, std::int64_t generation) {
  {
    std::lock_guard lock(mutex_);
    generations_[route] = generation;
  }
  queue_.add(route);
}

void Acknowledger::run() {
  while (const auto route = queue_.take()) {
    std::int64_t generation = 0;
    {
      std::lock_guard lock(mutex_);
      const auto found = generations_.find(*route);
      if (found != generations_.end()) {
        generation = found->second;
        generations_.erase(found);
      }
    }
    if (generation != 0 && !write(*route, generation)) {
      {
        std::lock_guard lock(mutex_);
        generations_.try_emplace(*route, generation);  // unless there is a newer one
      }
      queue_.addAfter(*route, options_.retry);
    }
    queue_.done(*route);
  }
}

bool Acknowledger::write(const kube::Key& route, std::int64_t generation) {
  api::FunctionRouteStatus status;
  status.gateways.push_back({gatewayName_, generation});
  const kube::Json object{{"apiVersion", api::kApiVersion},
                          {"kind", "FunctionRoute"},
                          {"metadata", {{"name", route.name}, {"namespace", route.namespace_}}},
                          {"status", api::writeStatus(status)}};
  kube::ApplyOptions options;
  options.fieldManager = std::string(api::kManagerGateway) + "-" + gatewayName_;
  const auto applied = client_.applyStatus(kube::resources::functionRoutes, object, options);
  if (applied || applied.error().code == kube::ErrorCode::notFound || applied.error().code == kube::ErrorCode::cancelled) return true;
  log_("FunctionRoute not acknowledged; trying again", route, applied.error().message);
  return false;
}

}  // namespace pilotlight::gateway
