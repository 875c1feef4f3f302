#include <csignal>
#include <iostream>
#include <string_view>

#include "cli/app.h"
#include "cli/local/local_command.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error of the write
  pilotlight::cli::Context context{std::cin, std::cout, std::cerr};
  context.plugin = std::string_view(argv[0]).ends_with("kubectl-fn");
  return pilotlight::cli::run(context, std::vector<std::string>(argv + 1, argv + argc), pilotlight::local::runLocal);
}
