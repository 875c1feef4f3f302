#include <fmt/format.h>

#include <ostream>

#include "cli/commands.h"
#include "cli/kubeconfig.h"

namespace pilotlight::cli {

int fail(Context& context, const std::string& message) {
  context.err << "error: " << message << "\n";
  return 1;
}

int fail(Context& context, const kube::Error& error) {
  std::string message = error.message;
  if (error.code == kube::ErrorCode::unavailable) {
    message += "\nIs an instance running? Start one with `pilotlight local -f FOLDER`, or name a cluster with --kubeconfig.";
  }
  return fail(context, message);
}

std::optional<Connection> connect(Context& context) {
  const auto address = findApi({context.kubeconfig, stateDirPath(context.stateDir, context.environment), context.environment});
  if (!address) {
    fail(context, address.error());
    return std::nullopt;
  }
  auto transport = kube::makeTransport(kube::transportOptions(*address));
  if (!transport) {
    fail(context, transport.error());
    return std::nullopt;
  }
  Connection connection;
  connection.transport = std::move(*transport);
  connection.api = std::make_unique<ApiClient>(*connection.transport);
  connection.namespace_ = context.namespace_.empty() ? address->namespace_ : context.namespace_;
  connection.local = address->context == kLocalContext;
  return connection;
}

}  // namespace pilotlight::cli
