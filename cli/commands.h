// The commands, each a function of its options and a Context. They print to the context's streams and return the exit code:
// 0, or 1 with `error: …` on the error stream.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/state_dir.h"
#include "kube/cluster_config.h"
#include "kube/rest_client.h"

namespace pilotlight::cli {

/// What a command may touch of the world.
struct Context {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Environment environment = processEnvironment;
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
  // Options that all commands share.
  std::string kubeconfig{};
  std::string kubeContext{};  ///< --context
  std::string stateDir{};
  std::string namespace_{};  ///< -n; empty: the kubeconfig's
  bool completing = false;   ///< run by kubectl for a shell that completes a command line of the plugin
  bool plugin = false;       ///< run by kubectl: of a cluster, as kubectl is
};

/// An open way to the API.
struct Connection {
  kube::ClusterConfig config;
  std::unique_ptr<kube::Transport> transport;
  std::unique_ptr<kube::RestClient> client;
  std::string namespace_;
  bool local = false;  ///< the API of `pilotlight local`: functions run in folders of this machine
};
/// The error is printed already; nullopt then.
std::optional<Connection> connect(Context& context);
/// Prints what kubectl would say of it, and returns 1: `Error from server (NotFound): …`. Adds what to do when no server answers.
int fail(Context& context, const kube::Error& error);
int fail(Context& context, const std::string& message);

struct GetOptions {
  std::string what;  ///< "fn", "fn/hello"
  std::vector<std::string> names;
  std::string output;  ///< "", wide, json, yaml, name
  std::string selector;
  bool allNamespaces = false;
  bool watch = false;
  bool noHeaders = false;
};
int get(Context& context, const GetOptions& options);

struct TargetOptions {
  std::vector<std::string> target;  ///< {"fn/hello"} or {"fn", "hello"}
};
int describe(Context& context, const TargetOptions& options);

struct ApplyFileOptions {
  std::vector<std::string> files;  ///< files, folders, "-"
  bool forceConflicts = false;
};
/// The field manager of everything the command line writes.
inline constexpr const char* kFieldManager = "pilotlight-cli";
int apply(Context& context, const ApplyFileOptions& options);
int validate(Context& context, const ApplyFileOptions& options);

struct DeployOptions {
  ApplyFileOptions files;
  std::string timeout = "5m";  ///< until all are ready
};
/// The exit code when everything was applied and a function did not get ready.
inline constexpr int kNotReadyCode = 3;
/// apply, then waits until the functions serve what was applied.
int deploy(Context& context, const DeployOptions& options);

struct Progress {
  enum class State { waiting, ready, refused };
  State state = State::waiting;
  std::string text{};  ///< unless it is ready: why, in the operator's words
};
/// How far a Function has come that was applied with this generation. Pure.
Progress progressOf(const kube::Object& function, std::int64_t generation);

struct DeleteCommandOptions {
  std::vector<std::string> target;
  std::vector<std::string> files;
  bool ignoreNotFound = false;
  bool wait = true;       ///< until they are gone
  std::string timeout{};  ///< for that, "30s"; empty: as long as it takes
};
int remove(Context& context, const DeleteCommandOptions& options);

struct ScaleOptions {
  std::vector<std::string> target;
  int replicas = 0;
};
int scale(Context& context, const ScaleOptions& options);

struct LogOptions {
  int tail = -1;  ///< -1: everything that is kept
  bool follow = false;
  bool timestamps = false;
  bool previous = false;                        ///< of the run before the container's last restart
  std::optional<bool> prefix{};                 ///< the pod's name before each line; default: when it may be one of several
  std::optional<std::chrono::seconds> since{};  ///< no older lines
  std::optional<std::int64_t> version{};        ///< only pods of this version
  std::size_t maxRequests = 50;                 ///< pods followed at once
};
struct LogsCommandOptions {
  std::string name;
  std::string since;  ///< "10m"
  LogOptions log;
};
int logs(Context& context, const LogsCommandOptions& options);

struct InvokeOptions {
  std::string name;
  std::string method;                 ///< empty: GET, or POST with data
  std::optional<std::string> data{};  ///< "@file": the file's content, "@-": stdin
  std::vector<std::string> headers;   ///< "Name: value"
  std::string path;                   ///< appended to the function's URL
  std::string gateway{};              ///< URL to connect to instead of going through a cluster's API server
  bool include = false;               ///< print the head too
  int timeoutSeconds = 300;           ///< without a byte: an answer that goes on may take its time
};
int invoke(Context& context, const InvokeOptions& options);

/// What could come after these words, the last of which is being typed: a line each, then kubectl's ":4" (no file names).
/// `commands`: the names of all commands.
int complete(Context& context, const std::vector<std::string>& words, const std::vector<std::string>& commands);

struct BuildOptions {
  std::string from;     ///< an image archive; with a builder an image's name
  std::string tag;      ///< of the new image
  std::string output;   ///< archive to write; without a builder
  std::string builder;  ///< docker, buildah or podman; empty: files alone
  std::string shim;     ///< path of pilotlight-shim
};
/// The shim on top of an image, so that nothing has to copy it in when a pod starts.
int build(Context& context, const BuildOptions& options);

struct InitOptions {
  std::string kind;  ///< cpp, python, exec
  std::string name;
  std::string folder;  ///< default: ./<name>
};
int init(Context& context, const InitOptions& options);

}  // namespace pilotlight::cli
