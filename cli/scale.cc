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
    const auto done = connection->api->scale(target.resource, {connection->namespace_, target.name}, options.replicas);
    if (!done) return fail(context, done.error());
    context.out << nameOf(target.resource, target.name) << " scaled\n";
  }
  return 0;
}

}  // namespace pilotlight::cli
