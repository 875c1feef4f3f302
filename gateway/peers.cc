#include "gateway/peers.h"

namespace pilotlight::gateway {

namespace {

kube::InformerOptions informerOptions(const PeersOptions& options) {
  kube::InformerOptions informer;
  informer.namespace_ = options.namespace_;
  informer.labelSelector = options.selector;
  informer.keep = {"/status/phase", "/status/podIP"};
  return informer;
}

}  // namespace

Peer peerOf(const kube::Object& pod, std::uint16_t port) {
  Peer peer{.name = pod.name(), .uid = pod.uid()};
  if (pod.stringAt("/status/phase") == "Running" && !pod.deleting())
    if (const std::string& ip = pod.stringAt("/status/podIP"); !ip.empty()) peer.address = {ip, port};
  return peer;
}

Peers::Peers(kube::Client& client, Peer self, const PeersOptions& options) : self_(std::move(self)) {
  known_[self_.name] = self_;
  publish();
  if (options.selector.empty()) return;
  pods_ = std::make_unique<kube::Informer>(client, kube::resources::pods, informerOptions(options));
  pods_->addHandler([this](const kube::Object& before, const kube::Object& after) { onPod(before, after); });
}

Peers::~Peers() {
  stop();
}

void Peers::addHandler(Handler handler) {
  handlers_.push_back(std::move(handler));
}

void Peers::start(std::uint16_t port) {
  port_ = port;
  if (pods_) pods_->start();
}

void Peers::stop() {
  if (pods_) pods_->stop();
}

bool Peers::waitForSync(std::chrono::milliseconds timeout) {
  return !pods_ || pods_->waitForSync(timeout);
}

void Peers::set(std::vector<Peer> others) {
  {
    std::lock_guard lock(mutex_);
    known_ = {{self_.name, self_}};
    for (Peer& peer : others)
      if (const std::string name = peer.name; name != self_.name) known_[name] = std::move(peer);
  }
  publish();
}

Peers::List Peers::all() const {
  std::lock_guard lock(mutex_);
  return all_;
}

void Peers::onPod(const kube::Object& before, const kube::Object& after) {
  const Peer peer = peerOf(after ? after : before, port_);
  if (peer.name == self_.name) return;  // it is here, whatever the API knows
  {
    std::lock_guard lock(mutex_);
    if (after && !peer.address.ip.empty())
      known_[peer.name] = peer;
    else
      known_.erase(peer.name);
  }
  publish();
}

void Peers::publish() {
  std::lock_guard order(publishing_);
  List all;
  {
    std::lock_guard lock(mutex_);
    auto list = std::make_shared<std::vector<Peer>>();
    for (const auto& [name, peer] : known_) list->push_back(peer);
    if (all_ && *all_ == *list) return;
    all_ = all = std::move(list);
  }
  for (const Handler& handler : handlers_) handler(all);
}

}  // namespace pilotlight::gateway
