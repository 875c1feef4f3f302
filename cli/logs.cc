#include <ostream>

#include "cli/commands.h"

namespace pilotlight::cli {

int logs(Context& context, const LogsCommandOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  std::string name = options.name;
  if (const auto slash = name.find('/'); slash != std::string::npos) name.erase(0, slash + 1);  // fn/hello
  auto stream = connection->api->logs({connection->namespace_, name}, options.log);
  if (!stream) return fail(context, stream.error());
  for (;;) {
    const auto part = (*stream)->next(std::chrono::seconds(60));
    if (!part) return fail(context, part.error());
    if (!*part) continue;
    if ((*part)->empty()) return 0;
    context.out << **part << std::flush;
    if (!context.out) return 0;  // nobody reads any more
  }
}

}  // namespace pilotlight::cli
