#include <fmt/format.h>

#include <ostream>

#include "api/api.h"
#include "cli/commands.h"
#include "cli/pod_logs.h"
#include "kube/rest_path.h"
#include "kube/status.h"

namespace pilotlight::cli {

namespace {

constexpr std::chrono::hours kStreamIdle{24};

/// Local mode keeps the lines of all of a function's processes, ended ones too, in the order in which they came.
int localLogs(Context& context, Connection& connection, const kube::Key& function, const LogOptions& options) {
  if (options.previous || options.version) return fail(context, "--previous and --version are for pods of a cluster");
  kube::Target target(kube::apiPath(kube::resources::functions, function), "log");
  const auto flag = [&](const char* name, bool value) { target.with(name, value ? "true" : ""); };
  flag("follow", options.follow);
  flag("timestamps", options.timestamps);
  flag("prefix", options.prefix.value_or(options.follow));
  target.with("tailLines", options.tail >= 0 ? std::to_string(options.tail) : "");
  target.with("sinceSeconds", options.since ? std::to_string(options.since->count()) : "");
  auto response = connection.transport->stream({.target = target.text(), .idleTimeout = kStreamIdle});
  if (!response) return fail(context, response.error());
  std::string refused;
  for (;;) {
    const auto part = response->body->next(std::chrono::seconds(60));
    if (!part) return fail(context, part.error());
    if (!*part) continue;
    if ((*part)->empty()) break;
    if (response->head.status >= 400) {
      refused += **part;
      continue;
    }
    context.out << **part << std::flush;
    if (!context.out) break;  // nobody reads any more
  }
  return response->head.status < 400 ? 0 : fail(context, kube::fromStatus(response->head.status, refused));
}

}  // namespace

int logs(Context& context, const LogsCommandOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  LogOptions log = options.log;
  if (!options.since.empty()) {
    const auto since = api::parseDuration(options.since);
    if (!since) return fail(context, "--since: " + since.error());
    log.since = std::chrono::ceil<std::chrono::seconds>(*since);
  }
  std::string name = options.name;
  if (const auto slash = name.find('/'); slash != std::string::npos) name.erase(0, slash + 1);  // fn/hello
  const kube::Key function{connection->namespace_, name};
  if (connection->local) return localLogs(context, *connection, function, log);
  if (log.previous && log.follow) return fail(context, "only one of --follow and --previous is allowed");
  if (const auto there = connection->client->get(kube::resources::functions, function); !there) return fail(context, there.error());
  std::string selector = fmt::format("{}={}", api::kLabelFunction, name);
  if (log.version) selector += fmt::format(",{}={}", api::kLabelVersion, *log.version);
  const PodLogsQuery query{function, selector, log};
  return log.follow ? followPodLogs(context, *connection, query) : printPodLogs(context, *connection, query);
}

}  // namespace pilotlight::cli
