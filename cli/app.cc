#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <ostream>

#ifndef PILOTLIGHT_VERSION
#define PILOTLIGHT_VERSION "0.0.0"
#endif

namespace pilotlight::cli {

const char* const kProductVersion = PILOTLIGHT_VERSION;

namespace {

/// Every command's options, and what was chosen.
struct Commands {
  Context& context;
  const LocalCommand& localCommand;
  int code = 0;
  LocalOptions local{};
  GetOptions get{};
  TargetOptions describe{};
  ApplyFileOptions apply{}, validate{};
  DeployOptions deploy{};
  DeleteCommandOptions remove{};
  ScaleOptions scale{};
  LogsCommandOptions logs{};
  InvokeOptions invoke{};
  BuildOptions build{};
  InitOptions init{};
};

/// A subcommand that runs `action`; the shared options may stand after it too.
template <class Action>
CLI::App* add(CLI::App& app, Commands& commands, const char* name, const char* help, Action action) {
  CLI::App* command = app.add_subcommand(name, help);
  command->fallthrough();
  command->callback([&commands, action] { commands.code = action(); });
  return command;
}

void addLocal(CLI::App& app, Commands& c) {
  auto* command = add(app, c, "local", "run functions on this machine, without a cluster", [&c] {
    c.local.stateDir = c.context.stateDir;
    return c.localCommand(c.context, c.local);
  });
  command->add_option("-f,--filename", c.local.files, "YAML files and folders, watched")->required();
  command->add_option("--listen", c.local.listen, "address of the gateway")->capture_default_str();
  auto* certificate = command->add_option("--tls-cert", c.local.tlsCertificate, "PEM file: serve HTTPS too, with this certificate");
  auto* key = command->add_option("--tls-key", c.local.tlsKey, "PEM file: its key");
  certificate->needs(key);
  key->needs(certificate);
  command->add_option("--listen-tls", c.local.tlsListen, "address of the gateway for HTTPS")->needs(certificate)->capture_default_str();
  command->add_option("--access-log", c.local.accessLog, "a JSON line per request on stdout")
      ->check(CLI::IsMember({"off", "errors", "all"}))
      ->capture_default_str();
  command->add_option("--log-level", c.local.logLevel, "of the log file in the state folder")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  command->add_option("--config", c.local.config, "YAML file with settings of gateway, operator and shims: docs/settings.md");
  command->add_option("--loops", c.local.loops, "event loops of the gateway; 0: one per core. Wins over --config")
      ->check(CLI::Range(0, 256));
  command->add_option("--pool", c.local.pool, "requests at once of all functions together; 0: no limit. Wins over --config; default: 10000")
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--to", c.local.stopSeconds, "seconds that requests in flight may take when stopping")
      ->check(CLI::Range(0, 900))
      ->capture_default_str();
  command->add_option("--shim", c.local.shim, "path of pilotlight-shim; default: $PILOTLIGHT_SHIM, else beside this program");
}

void addReading(CLI::App& app, Commands& c) {
  auto* get = add(app, c, "get", "show resources: functions (fn), pods, versions, routes, deployments, events, …",
                  [&c] { return cli::get(c.context, c.get); });
  get->add_option("type", c.get.what, "TYPE or TYPE/NAME")->required();
  get->add_option("name", c.get.names, "names");
  get->add_option("-o,--output", c.get.output, "wide, json, yaml or name")->check(CLI::IsMember({"wide", "json", "yaml", "name"}));
  get->add_option("-l,--selector", c.get.selector, "label selector");
  get->add_flag("-A,--all-namespaces", c.get.allNamespaces, "of all namespaces");
  get->add_flag("-w,--watch", c.get.watch, "go on with a line per change");
  get->add_flag("--no-headers", c.get.noHeaders, "without the column names");

  auto* describe = add(app, c, "describe", "show a resource in detail, with its conditions and events",
                       [&c] { return cli::describe(c.context, c.describe); });
  describe->add_option("target", c.describe.target, "TYPE NAME or TYPE/NAME")->required();

  auto* logs = add(app, c, "logs", "what a function's processes wrote", [&c] { return cli::logs(c.context, c.logs); });
  logs->add_option("name", c.logs.name, "function")->required();
  logs->add_flag("-f,--follow", c.logs.log.follow, "go on with new lines");
  logs->add_option("--tail", c.logs.log.tail, "only the last lines; -1: all that are kept");
  logs->add_flag("--timestamps", c.logs.log.timestamps, "time before each line");
  logs->add_flag_function(
      "--prefix,!--no-prefix", [&c](std::int64_t count) { c.logs.log.prefix = count > 0; },
      "pod before each line; default: with -f, or when there are several");
  logs->add_option("--since", c.logs.since, "no older lines, e.g. 10m");
  logs->add_flag("-p,--previous", c.logs.log.previous, "of the run before the last restart (on a cluster)");
  logs->add_option("--version", c.logs.log.version, "only pods of this version, a number (on a cluster)");
  logs->add_option("--max-log-requests", c.logs.log.maxRequests, "pods followed at once (on a cluster)")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void addWriting(CLI::App& app, Commands& c) {
  auto* apply = add(app, c, "apply", "create or change what files say", [&c] { return cli::apply(c.context, c.apply); });
  apply->add_option("-f,--filename", c.apply.files, "YAML files and folders; -: stdin")->required();
  apply->add_flag("--force-conflicts", c.apply.forceConflicts, "take over fields that others manage");

  auto* deploy = add(app, c, "deploy", "apply, then wait until the functions are ready; exit code 3: applied, but not ready in time",
                     [&c] { return cli::deploy(c.context, c.deploy); });
  deploy->add_option("-f,--filename", c.deploy.files.files, "YAML files and folders; -: stdin")->required();
  deploy->add_flag("--force-conflicts", c.deploy.files.forceConflicts, "take over fields that others manage");
  deploy->add_option("--timeout", c.deploy.timeout, "how long to wait, e.g. 90s, 10m")->capture_default_str();

  auto* validate = add(app, c, "validate", "check files without a server", [&c] { return cli::validate(c.context, c.validate); });
  validate->add_option("-f,--filename", c.validate.files, "YAML files and folders; -: stdin")->required();

  auto* remove = add(app, c, "delete", "delete by name or by file", [&c] { return cli::remove(c.context, c.remove); });
  remove->add_option("target", c.remove.target, "TYPE NAME or TYPE/NAME");
  remove->add_option("-f,--filename", c.remove.files, "YAML files and folders; -: stdin")->allow_extra_args(false);
  remove->add_flag("--ignore-not-found", c.remove.ignoreNotFound, "what is not there is no error");
  remove->add_flag("--wait,!--no-wait", c.remove.wait, "until it is gone; default: true")->default_str("true");
  remove->add_option("--timeout", c.remove.timeout, "of --wait, e.g. 30s; default: none");

  auto* scale = add(app, c, "scale", "pin the number of replicas; -1: automatic again", [&c] { return cli::scale(c.context, c.scale); });
  scale->add_option("target", c.scale.target, "TYPE NAME or TYPE/NAME")->required();
  scale->add_option("--replicas", c.scale.replicas, "how many")->required();
}

void addOthers(CLI::App& app, Commands& c) {
  auto* invoke = add(app, c, "invoke", "send a request to a function", [&c] { return cli::invoke(c.context, c.invoke); });
  invoke->add_option("name", c.invoke.name, "function")->required();
  invoke->add_option("-d,--data", c.invoke.data, "body; @file: the file's content, @-: stdin");
  invoke->add_option("-X,--request", c.invoke.method, "method; default: GET, with data POST");
  invoke->add_option("-H,--header", c.invoke.headers, "\"Name: value\"")->allow_extra_args(false);
  invoke->add_option("--path", c.invoke.path, "after the function's URL: /users/7, ?name=Ada");
  invoke->add_option("--gateway", c.invoke.gateway, "URL of a gateway to connect to; default on a cluster: through the API server");
  invoke->add_flag("-i,--include", c.invoke.include, "print status and headers too");
  invoke->add_option("--timeout", c.invoke.timeoutSeconds, "seconds without a byte")->check(CLI::Range(1, 86400))->capture_default_str();

  auto* build =
      add(app, c, "build", "put the shim into an image, so that pods start faster", [&c] { return cli::build(c.context, c.build); });
  build->add_option("--from", c.build.from, "image archive (`docker save`, oci-archive); with --builder an image's name")->required();
  build->add_option("-t,--tag", c.build.tag, "name of the new image")->required();
  auto* output = build->add_option("-o,--output", c.build.output, "archive to write");
  build->add_option("--builder", c.build.builder, "docker, buildah or podman: build with that instead of archives")
      ->check(CLI::IsMember({"docker", "buildah", "podman"}))
      ->excludes(output);
  build->add_option("--shim", c.build.shim, "path of pilotlight-shim; default: $PILOTLIGHT_SHIM, else beside this program");

  auto* init = add(app, c, "init", "a new function from a template", [&c] { return cli::init(c.context, c.init); });
  init->add_option("kind", c.init.kind, "cpp, python or exec")->required()->check(CLI::IsMember({"cpp", "python", "exec"}));
  init->add_option("name", c.init.name, "function")->required();
  init->add_option("--folder", c.init.folder, "where; default: ./NAME");

  add(app, c, "version", "print the version", [&c] {
    c.context.out << "pilotlight " << kProductVersion << "\n";
    return 0;
  });
}

}  // namespace

int run(Context& context, const std::vector<std::string>& arguments, const LocalCommand& local) {
  CLI::App app("Functions that cost nothing while nobody calls them.", context.plugin ? "kubectl fn" : "pilotlight");
  app.require_subcommand(1);
  app.set_version_flag("--version", kProductVersion);
  app.add_option("--kubeconfig", context.kubeconfig, "the API to talk to; default: the local instance's, else kubectl's");
  app.add_option("--context", context.kubeContext, "context of the kubeconfig; default: its current one");
  app.add_option("--state-dir", context.stateDir,
                 "folder of the local instance; default: $PILOTLIGHT_HOME, else ~/.local/state/pilotlight");
  app.add_option("-n,--namespace", context.namespace_, "namespace");
  Commands commands{context, local};
  addLocal(app, commands);
  addReading(app, commands);
  addWriting(app, commands);
  addOthers(app, commands);
  if (context.completing) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
    return complete(context, arguments, names);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, context.out, context.err);  // --help, --version
    context.err << "error: " << error.what() << "\nSee " << app.get_name() << " --help.\n";
    return 2;
  }
  return commands.code;
}

}  // namespace pilotlight::cli
