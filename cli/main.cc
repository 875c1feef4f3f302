#include <csignal>
#include <iostream>
#include <string_view>

#include "cli/app.h"
#include "cli/local/local_command.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error of the write
  pilotlight::cli::Context context{std::cin, std::cout, std::cerr};
  const std::string_view name = argv[0];
  context.completing = name.ends_with("kubectl_complete-fn");
  context.plugin = context.completing || name.ends_with("kubectl-fn");
  return pilotlight::cli::run(context, std::vector<std::string>(argv + 1, argv + argc), pilotlight::local::runLocal);
}
