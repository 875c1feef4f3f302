#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/printers.h"
#include "cli/target.h"

namespace pilotlight::cli {

int scale(Context& context, const ScaleOptions& options) {
  const auto targets = parseTargets(options.target);
  if (!targets) return fail(context, targets.error());
  auto connection = connect(context);
  if (!connection) return 1;
  for (const auto& target : *targets) {
    if (target.name.empty()) return fail(context, "scale what? For example: pilotlight scale fn/NAME --replicas 3");
    const kube::Key key{connection->namespace_, target.name};
    // The scale subresource cannot take the number away again.
    const auto done = options.replicas < 0 ? connection->client->mergePatch(
                                                 target.resource, key, kube::Json{{"spec", {{"replicas", nullptr}}}}, kFieldManager, "")
                                           : connection->client->patchScale(target.resource, key, options.replicas, "", kFieldManager);
    if (!done) return fail(context, done.error());
    context.out << nameOf(target.resource, target.name) << " scaled\n";
  }
  return 0;
}

}  // namespace pilotlight::cli
