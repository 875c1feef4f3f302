#include "operator/leader.h"

#include "callhome/key_files.h"
#include "net/socket.h"

namespace pilotlight::op {

std::expected<std::string, std::string> callHomeAddress(const kube::Object& service, std::uint16_t port) {
  const std::string& ip = service.stringAt("/spec/clusterIP");
  if (ip.empty() || ip == "None") {
    return std::unexpected("service " + service.key().toString() + " has no cluster IP, which shims need");
  }
  return net::Address{ip, port}.toString();
}

Leader::Leader(kube::Client& client, const Log& log, LeaderOptions options) : client_(client), log_(log), options_(std::move(options)) {}

Leader::~Leader() {
  stop();
}

std::expected<void, std::string> Leader::findGateways() {
  if (!options_.operator_.gateways.empty()) {
    return {};
  }
  const auto service = client_.get(kube::resources::services, {options_.pods.namespace_, options_.service});
  if (!service) {
    return std::unexpected(service.error().message + ": name the gateways with --gateways or --gateways-service");
  }
  auto address = callHomeAddress(*service, options_.loads.port);
  if (!address) {
    return std::unexpected(address.error());
  }
  options_.operator_.gateways = *std::move(address);
  return {};
}

std::expected<void, std::string> Leader::readKey() {
  if (options_.keyFolder.empty()) {
    log_.warn("shims get no key: gateways will not believe them, and learn from the API of their being ready", {});
    return {};
  }
  auto keys = callhome::readKeys(options_.keyFolder);
  if (!keys) {
    return std::unexpected("--call-home-keys: " + keys.error());
  }
  options_.operator_.callHomeKey = keys->front();
  return {};
}

std::expected<void, std::string> Leader::start() {
  if (auto found = findGateways(); !found) {
    return found;
  }
  if (auto read = readKey(); !read) {
    return read;
  }
  {
    const std::scoped_lock lock(mutex_);
    pods_ = std::make_unique<GatewayPods>(client_, options_.pods);
    loads_ = std::make_unique<GatewayLoads>(*pods_, log_, options_.loads);
    reconciling_ = std::make_unique<Operator>(client_, *loads_, options_.operator_, pods_.get());
  }
  loads_->start();
  pods_->start();
  if (!pods_->waitForSync(options_.operator_.syncTimeout)) {
    return std::unexpected("list and watch the gateways' pods: not in sync after " +
                           std::to_string(options_.operator_.syncTimeout.count()) + " ms");
  }
  if (auto done = reconciling_->start(); !done) {
    return done;
  }
  started_ = true;
  return {};
}

void Leader::stop() {
  started_ = false;
  if (pods_) {
    pods_->stop();  // it tells the other two
  }
  if (reconciling_) {
    reconciling_->stop();
  }
  if (loads_) {
    loads_->stop();
  }
  const std::scoped_lock lock(mutex_);
  reconciling_.reset();
  loads_.reset();
  pods_.reset();
}

std::string Leader::metrics() const {
  const std::scoped_lock lock(mutex_);
  return reconciling_ ? reconciling_->metrics() + loads_->metrics() : "";
}

}  // namespace pilotlight::op
