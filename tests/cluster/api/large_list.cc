// Follows the pods of a namespace with an informer and says how much memory that took: its peak resident set in KiB.
//   large_list KUBECONFIG NAMESPACE whole|reduced
#include <cstdio>
#include <fstream>
#include <string>

#include "kube/informer.h"
#include "kube/kubeconfig.h"
#include "kube/rest_client.h"

namespace {

using namespace pilotlight::kube;

long peakKib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    long kib = 0;
    status >> kib;
    return kib;
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto config = loadKubeconfig({argv[1]});
  auto transport = config ? makeTransport(transportOptions(*config)) : std::unexpected(Error{ErrorCode::badRequest, config.error()});
  if (!transport) return std::fprintf(stderr, "%s\n", transport.error().message.c_str()), 1;
  RestClient client(**transport);
  InformerOptions options;
  options.namespace_ = argv[2];
  // What a gateway asks of its pods.
  if (std::string(argv[3]) == "reduced") {
    options.keep = {"/metadata/labels", "/status/phase", "/status/podIP", "/status/conditions", "/spec/nodeName"};
  }
  Informer informer(client, resources::pods, options);
  informer.start();
  if (!informer.waitForSync(std::chrono::minutes(5))) return 1;
  std::printf("%zu %ld\n", informer.store().size(), peakKib());
  client.shutdown();
  return 0;
}
