// The gateways of this release, as each of them knows them: itself, and those that run and are not about to end.
//
// On a cluster a watch of their pods tells them; a gateway without a selector knows itself alone, or those it is told of with
// set(). Thread-safe; addHandler() before start().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kube/client.h"
#include "kube/informer.h"
#include "net/socket.h"

namespace pilotlight::gateway {

/// One gateway. Every gateway calls it by the same name.
struct Peer {
  std::string name;        ///< its pod's
  std::string uid{};       ///< its pod's; may be empty where there are no pods
  net::Address address{};  ///< of its internal listener; of the gateway itself maybe unknown
  auto operator<=>(const Peer&) const = default;
};

struct PeersOptions {
  std::string namespace_{};  ///< of the gateways' pods
  std::string selector{};    ///< their labels; empty: no watch
};

/// A pure reading of a pod: the gateway in it. Its address is empty when it doesn't run, or is about to end.
Peer peerOf(const kube::Object& pod, std::uint16_t port);

class Peers {
 public:
  using List = std::shared_ptr<const std::vector<Peer>>;
  using Handler = std::function<void(const List& all)>;

  Peers(kube::Client& client, Peer self, const PeersOptions& options);
  ~Peers();
  Peers(const Peers&) = delete;

  /// Told of each other list, from the watch's thread or from that of set(). It must not block.
  void addHandler(Handler handler);
  void start(std::uint16_t port);  ///< of the internal listeners of all: they are started alike
  void stop();
  bool waitForSync(std::chrono::milliseconds timeout);  ///< at once without a watch

  /// Instead of a watch: all others. Who is called as this one is not taken for another.
  void set(std::vector<Peer> others);

  List all() const;  ///< by name; this one is always there
  const std::string& self() const { return self_.name; }

 private:
  void onPod(const kube::Object& before, const kube::Object& after);
  void publish();

  const Peer self_;
  std::uint16_t port_ = 0;                // constant after start()
  std::unique_ptr<kube::Informer> pods_;  // null: no watch
  std::vector<Handler> handlers_;         // constant after start()
  std::mutex publishing_;                 // handlers see the lists in their order
  mutable std::mutex mutex_;
  std::map<std::string, Peer> known_;  // by name, with this one; guarded by mutex_
  List all_;                           // guarded by mutex_
};

}  // namespace pilotlight::gateway
