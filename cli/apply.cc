#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/files.h"
#include "cli/printers.h"

namespace pilotlight::cli {

int apply(Context& context, const ApplyFileOptions& options) {
  auto connection = connect(context);
  return connection ? applyFiles(context, *connection, options).code : 1;
}

int validate(Context& context, const ApplyFileOptions& options) {
  // As `pilotlight local` reads them: an image may be left out.
  const auto files = readGiven(context, options.files, true, "default");
  if (!files) return fail(context, files.error());
  for (const auto& file : *files) {
    for (const auto& object : file.objects) context.out << nameOf(resourceOf(object), keyOf(object).name) << " is valid\n";
  }
  return printErrors(context, *files);
}

}  // namespace pilotlight::cli
