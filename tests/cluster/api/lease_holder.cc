// A candidate for the tests of leader election, to be stopped and woken: while it leads, it writes its name into a
// ConfigMap, over the version that it last read or wrote. Says on standard output what happens to it, a word a line.
//   lease_holder KUBECONFIG NAMESPACE IDENTITY
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "kube/kubeconfig.h"
#include "kube/lease.h"
#include "kube/rest_client.h"

namespace {

using namespace pilotlight::kube;

void say(const char* word) {
  std::printf("%s\n", word);
  std::fflush(stdout);
}

/// One leader's work: it goes on from what it knows and never reads again, as a leader that was stopped in the middle would.
void work(Client& client, const Key& key, const std::string& identity, const std::atomic<bool>& leads) {
  auto known = client.get(resources::configMaps, key);
  for (long count = 0; leads && known; ++count) {
    Json next = known->json();
    next["data"] = {{"by", identity}, {"count", std::to_string(count)}};
    auto written = client.update(resources::configMaps, next, identity);
    if (written) {
      if (count == 0) say("wrote");
      known = written;
    } else if (written.error().code == ErrorCode::conflict) {
      return say("stale");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto config = loadKubeconfig({argv[1]});
  auto transport = config ? makeTransport(transportOptions(*config)) : std::unexpected(Error{ErrorCode::badRequest, config.error()});
  if (!transport) return std::fprintf(stderr, "%s\n", transport.error().message.c_str()), 1;
  RestClient client(**transport);
  std::atomic<bool> leads{false};
  std::thread worker;
  const std::string identity = argv[3];
  const Key key{argv[2], "shared"};
  LeaseElector elector(client,
                       {.lease = {argv[2], "leader"},
                        .identity = identity,
                        .duration = std::chrono::seconds(3),
                        .renewDeadline = std::chrono::seconds(2),
                        .retryPeriod = std::chrono::milliseconds(200)},
                       {[&] {
                          leads = true;
                          say("won");
                          worker = std::thread([&] { work(client, key, identity, leads); });
                        },
                        [&] {
                          leads = false;
                          worker.join();
                          say("lost");
                        }});
  elector.start();
  while (true) ::pause();  // until the test ends us
}
