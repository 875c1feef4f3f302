#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/kubeconfig.h"
#include "kube/status.h"

namespace pilotlight::cli {

int fail(Context& context, const std::string& message) {
  context.err << "error: " << message << "\n";
  return 1;
}

int fail(Context& context, const kube::Error& error) {
  using enum kube::ErrorCode;
  if (error.code == timeout || error.code == cancelled) return fail(context, error.message);
  const std::string why = kube::serverMessage(error);
  if (error.code == unavailable) {
    context.err << "Unable to reach the server: " << why << "\n";
    if (!context.plugin)
      context.err << "Is an instance running? Start one with `pilotlight local -f FOLDER`, or name a cluster with --kubeconfig.\n";
  } else if (why == "Unauthorized") {
    return fail(context, "You must be logged in to the server (Unauthorized)");
  } else {
    context.err << fmt::format("Error from server ({}): {}\n", kube::reasonOf(error.code), why);
  }
  return 1;
}

std::optional<Connection> connect(Context& context) {
  const auto stateDir = context.plugin ? std::filesystem::path() : stateDirPath(context.stateDir, context.environment);
  auto config = findApi({context.kubeconfig, context.kubeContext, stateDir, context.environment});
  if (!config) {
    fail(context, config.error());
    return std::nullopt;
  }
  auto transport = kube::makeTransport(kube::transportOptions(*config));
  if (!transport) {
    fail(context, transport.error());
    return std::nullopt;
  }
  Connection connection;
  connection.transport = std::move(*transport);
  connection.client = std::make_unique<kube::RestClient>(*connection.transport, kube::RestOptions{.userAgent = kFieldManager});
  connection.namespace_ = context.namespace_.empty() ? config->namespace_ : context.namespace_;
  connection.local = config->context == kLocalContext;
  connection.config = *std::move(config);
  return connection;
}

}  // namespace pilotlight::cli
