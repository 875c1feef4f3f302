#include "kube/kubeconfig.h"

#include <nlohmann/json.hpp>

#include "kube/base64.h"
#include "kube/exec_credentials.h"
#include "kube/yaml.h"

namespace pilotlight::kube {

namespace {

namespace fs = std::filesystem;
template <class T>
using Or = std::expected<T, std::string>;

std::string text(const Json& object, const char* field) {
  const auto found = object.is_object() ? object.find(field) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool isTrue(const Json& object, const char* field) {
  const auto found = object.is_object() ? object.find(field) : object.end();
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

/// An entry of one of the lists, and the folder of the file it is in.
struct Entry {
  Json value = Json::object();
  fs::path folder;
};

struct File {
  Json config;
  fs::path folder;
};

std::optional<Entry> find(const std::vector<File>& files, const char* list, const char* kind, const std::string& name) {
  for (const File& file : files) {
    const auto entries = file.config.find(list);
    if (entries == file.config.end() || !entries->is_array()) continue;
    for (const Json& entry : *entries) {
      if (text(entry, "name") != name || !entry.contains(kind)) continue;
      return Entry{entry.at(kind).is_object() ? entry.at(kind) : Json::object(), file.folder};
    }
  }
  return std::nullopt;
}

/// The content of "<field>-data" in base64, or of the file that `field` names; empty when there is neither.
Or<std::string> dataOrFile(const Entry& entry, const std::string& field) {
  if (const std::string data = text(entry.value, (field + "-data").c_str()); !data.empty()) {
    auto decoded = decodeBase64(data);
    if (!decoded) return std::unexpected(field + "-data is not base64");
    return *std::move(decoded);
  }
  const std::string path = text(entry.value, field.c_str());
  if (path.empty()) return "";
  auto content = readSmallFile(entry.folder / path);
  if (!content) return std::unexpected(field + ": " + content.error());
  return content;
}

/// Takes user and password off "http://user:password@host": kubectl needs them there, since it sends no token over http.
std::string withoutUser(std::string server) {
  const auto begin = server.find("://");
  const auto end = begin == std::string::npos ? begin : server.find('/', begin + 3);
  const auto at = server.substr(0, end).rfind('@');
  if (begin != std::string::npos && at != std::string::npos) server.erase(begin + 3, at + 1 - (begin + 3));
  return server;
}

Or<void> readCluster(const Entry& cluster, ClusterConfig& config) {
  config.server = withoutUser(text(cluster.value, "server"));
  if (config.server.empty()) return std::unexpected("the context's cluster has no server");
  if (!text(cluster.value, "proxy-url").empty()) return std::unexpected("proxy-url is not supported");
  while (config.server.ends_with('/')) config.server.pop_back();
  auto authority = dataOrFile(cluster, "certificate-authority");
  if (!authority) return std::unexpected(authority.error());
  config.tls.caPem = *std::move(authority);
  config.tls.serverName = text(cluster.value, "tls-server-name");
  config.tls.insecureSkipVerify = isTrue(cluster.value, "insecure-skip-tls-verify");
  return {};
}

Or<ExecOptions> readExec(const Entry& user, const Entry& cluster) {
  const Json& exec = user.value.at("exec");
  ExecOptions options;
  options.command = text(exec, "command");
  options.apiVersion = text(exec, "apiVersion");
  options.installHint = text(exec, "installHint");
  if (options.command.empty()) return std::unexpected("exec has no command");
  if (options.apiVersion != "client.authentication.k8s.io/v1" && options.apiVersion != "client.authentication.k8s.io/v1beta1") {
    return std::unexpected("exec's apiVersion must be client.authentication.k8s.io/v1 or v1beta1");
  }
  if (text(exec, "interactiveMode") == "Always")
    return std::unexpected("exec needs a terminal (interactiveMode: Always), which is not supported");
  if (options.command.find('/') != std::string::npos) options.command = (user.folder / options.command).string();
  for (const Json& argument : exec.value("args", Json::array())) {
    if (argument.is_string()) options.args.push_back(argument);
  }
  if (const auto added = exec.find("env"); added != exec.end() && added->is_array()) {
    for (const Json& variable : *added) options.environment.emplace_back(text(variable, "name"), text(variable, "value"));
  }
  if (isTrue(exec, "provideClusterInfo")) options.cluster = cluster.value.dump();
  return options;
}

Or<std::shared_ptr<CredentialSource>> readUser(const Entry& user, const Entry& cluster) {
  for (const char* field : {"auth-provider", "as", "as-uid", "as-groups", "username"}) {
    if (user.value.contains(field)) return std::unexpected(std::string(field) + " is not supported");
  }
  Credentials fixed{.bearerToken = text(user.value, "token")};
  auto certificate = dataOrFile(user, "client-certificate");
  if (!certificate) return std::unexpected(certificate.error());
  auto key = dataOrFile(user, "client-key");
  if (!key) return std::unexpected(key.error());
  fixed.certificate = *std::move(certificate);
  fixed.key = *std::move(key);
  if (auto usable = checkTls({}, fixed.certificate, fixed.key); !usable) return std::unexpected(usable.error());
  if (const std::string file = text(user.value, "tokenFile"); !file.empty()) {
    return tokenFileCredentials({.path = user.folder / file}, std::move(fixed));
  }
  if (user.value.contains("exec") && fixed == Credentials{}) {
    auto exec = readExec(user, cluster);
    if (!exec) return std::unexpected(exec.error());
    return execCredentials(*std::move(exec));
  }
  return fixedCredentials(std::move(fixed));
}

Or<ClusterConfig> resolve(const std::vector<File>& files, std::string wanted) {
  for (const File& file : files) {
    if (wanted.empty()) wanted = text(file.config, "current-context");
  }
  if (wanted.empty()) return std::unexpected("there is no current-context");
  const auto context = find(files, "contexts", "context", wanted);
  if (!context) return std::unexpected("there is no context " + wanted);
  const auto cluster = find(files, "clusters", "cluster", text(context->value, "cluster"));
  if (!cluster) return std::unexpected("context " + wanted + " names no cluster");
  ClusterConfig config;
  config.context = wanted;
  const auto failed = [&](const std::string& why) { return std::unexpected("context " + wanted + ": " + why); };
  if (auto read = readCluster(*cluster, config); !read) return failed(read.error());
  const auto user = find(files, "users", "user", text(context->value, "user")).value_or(Entry{});
  auto credentials = readUser(user, *cluster);
  if (!credentials) return failed(credentials.error());
  config.credentials = *std::move(credentials);
  if (auto name = text(context->value, "namespace"); !name.empty()) config.namespace_ = std::move(name);
  return config;
}

Or<File> parse(const std::string& content, fs::path folder) {
  auto config = yamlToJson(content);
  if (!config) return std::unexpected(config.error());
  if (!config->is_object()) return std::unexpected("not a kubeconfig");
  return File{*std::move(config), std::move(folder)};
}

}  // namespace

std::expected<ClusterConfig, std::string> readKubeconfig(const std::string& content, const fs::path& folder, const std::string& context) {
  auto file = parse(content, folder);
  if (!file) return std::unexpected(file.error());
  return resolve({*std::move(file)}, context);
}

std::expected<ClusterConfig, std::string> loadKubeconfig(const std::vector<fs::path>& files, const std::string& context) {
  std::vector<File> parsed;
  std::string names;
  for (const fs::path& path : files) {
    names += (names.empty() ? "" : ":") + path.string();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    auto content = readSmallFile(path);
    if (!content) return std::unexpected(content.error());
    auto file = parse(*content, path.has_parent_path() ? path.parent_path() : fs::path("."));
    if (!file) return std::unexpected(path.string() + ": " + file.error());
    parsed.push_back(*std::move(file));
  }
  if (parsed.empty()) return std::unexpected("there is no kubeconfig at " + names);
  auto config = resolve(parsed, context);
  if (!config) return std::unexpected(names + ": " + config.error());
  return config;
}

std::vector<fs::path> kubeconfigFiles(const Environment& environment) {
  const std::string list = environment("KUBECONFIG");
  std::vector<fs::path> files;
  for (std::size_t at = 0; at < list.size();) {
    const auto end = std::min(list.find(':', at), list.size());
    if (end > at) files.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return files;
}

std::expected<ClusterConfig, std::string> findClusterConfig(const Environment& environment, const std::string& context) {
  if (const auto files = kubeconfigFiles(environment); !files.empty()) return loadKubeconfig(files, context);
  if (context.empty() && !environment("KUBERNETES_SERVICE_HOST").empty()) return inClusterConfig(environment);
  return loadKubeconfig({fs::path(environment("HOME")) / ".kube" / "config"}, context);
}

}  // namespace pilotlight::kube
