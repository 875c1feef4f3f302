#include "cli/local/pod_env.h"

#include "cli/local/json_read.h"
#include "cli/local/mounts.h"

namespace pilotlight::local {

namespace {

using kube::Json;

bool validName(const std::string& name) {
  return !name.empty() && name.find('=') == std::string::npos && name.find('\0') == std::string::npos;
}

/// `metadata.labels['x']` -> x, for the given prefix; empty when it is something else.
std::string subscript(const std::string& path, std::string_view prefix) {
  if (!path.starts_with(prefix) || !path.ends_with("']")) return {};
  return path.substr(prefix.size(), path.size() - prefix.size() - 2);
}

std::expected<std::string, std::string> fieldValue(const std::string& path, const kube::Object& pod, const std::string& podIp) {
  if (path == "metadata.name") return pod.name();
  if (path == "metadata.namespace") return pod.namespace_();
  if (path == "metadata.uid") return pod.uid();
  if (path == "status.podIP" || path == "status.podIPs") return podIp;
  if (path == "status.hostIP" || path == "status.hostIPs") return std::string("127.0.0.1");
  if (path == "spec.nodeName") return std::string("local");
  if (path == "spec.serviceAccountName") return pod.stringAt("/spec/serviceAccountName");
  if (const std::string label = subscript(path, "metadata.labels['"); !label.empty()) return pod.label(label);
  if (const std::string annotation = subscript(path, "metadata.annotations['"); !annotation.empty()) return pod.annotation(annotation);
  return std::unexpected("fieldPath \"" + path + "\" is not supported");
}

/// nullopt: not there, and optional.
std::expected<std::optional<std::string>, std::string> keyValue(PodSources& sources, const kube::Object& pod, SourceKind kind,
                                                                const Json& reference) {
  const std::string name = textMember(reference, "name"), key = textMember(reference, "key");
  const bool optional = flagMember(reference, "optional");
  const auto data = sources.read(kind, name, optional);
  if (!data) return std::unexpected(data.error());
  if (!*data) return std::nullopt;
  const auto found = (*data)->find(key);
  if (found != (*data)->end()) return found->second;
  if (optional) return std::nullopt;
  return std::unexpected("couldn't find key " + key + " in " + (kind == SourceKind::secret ? "Secret " : "ConfigMap ") + pod.namespace_() +
                         "/" + name);
}

std::expected<std::optional<std::string>, std::string> valueFrom(PodSources& sources, const kube::Object& pod, const Json& from,
                                                                 const std::string& podIp) {
  if (const Json* field = member(from, "fieldRef")) {
    auto value = fieldValue(textMember(*field, "fieldPath"), pod, podIp);
    if (!value) return std::unexpected(value.error());
    return std::move(*value);
  }
  if (const Json* secret = member(from, "secretKeyRef")) return keyValue(sources, pod, SourceKind::secret, *secret);
  if (const Json* config = member(from, "configMapKeyRef")) return keyValue(sources, pod, SourceKind::configMap, *config);
  return std::unexpected("valueFrom needs fieldRef, secretKeyRef or configMapKeyRef");
}

std::expected<void, std::string> addAll(PodSources& sources, const Json& from, Variables& variables) {
  const std::string prefix = textMember(from, "prefix");
  for (const auto& [kind, field] : {std::pair{SourceKind::secret, "secretRef"}, std::pair{SourceKind::configMap, "configMapRef"}}) {
    const Json* reference = member(from, field);
    if (!reference) continue;
    const auto data = sources.read(kind, textMember(*reference, "name"), flagMember(*reference, "optional"));
    if (!data) return std::unexpected(data.error());
    if (!*data) continue;
    for (const auto& [key, content] : **data)
      if (validName(prefix + key)) variables[prefix + key] = content;
  }
  return {};
}

const Json* findVolume(const kube::Object& pod, const std::string& name) {
  const Json* spec = pod.at("/spec");
  if (!spec) return nullptr;
  for (const Json& volume : listMember(*spec, "volumes"))
    if (textMember(volume, "name") == name) return &volume;
  return nullptr;
}

std::expected<void, std::string> layOutMount(PodSources& sources, const Json& volume, const std::filesystem::path& folder) {
  const Json* secret = member(volume, "secret");
  const Json* source = secret ? secret : member(volume, "configMap");
  if (!source) return makeFolders(folder);
  const auto data = sources.read(secret ? SourceKind::secret : SourceKind::configMap, textMember(*source, secret ? "secretName" : "name"),
                                 flagMember(*source, "optional"));
  if (!data) return std::unexpected(data.error());
  const auto written = writeMount(folder, data->value_or(SourceData{}), secret ? kSecretMode : kConfigMode);
  if (!written) return std::unexpected(written.error());
  return {};
}

}  // namespace

std::expected<std::optional<SourceData>, std::string> PodSources::read(SourceKind kind, const std::string& name, bool optional) {
  const SourceName source{kind, {namespace_, name}};
  seen_.insert(source);
  auto data = readSource(client_, source);
  if (data && !*data && !optional) return std::unexpected(toString(source) + " not found");
  return data;
}

std::string expand(const std::string& text, const Variables& variables) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '(')) {
      out += text[i];
      continue;
    }
    ++i;
    const std::size_t end = next == '(' ? text.find(')', i) : std::string::npos;
    if (next == '$' || end == std::string::npos) {
      out += next == '$' ? "$" : "$(";
      continue;
    }
    const auto found = variables.find(text.substr(i + 1, end - i - 1));
    out += found != variables.end() ? found->second : text.substr(i - 1, end - i + 2);
    i = end;
  }
  return out;
}

std::expected<Variables, std::string> resolveVariables(PodSources& sources, const kube::Object& pod, const Json& container,
                                                       const std::string& podIp) {
  Variables variables;
  for (const Json& from : listMember(container, "envFrom"))
    if (auto added = addAll(sources, from, variables); !added) return std::unexpected(added.error());
  for (const Json& entry : listMember(container, "env")) {
    const std::string name = textMember(entry, "name");
    if (!validName(name)) continue;
    const Json* from = member(entry, "valueFrom");
    if (!from) {
      variables[name] = expand(textMember(entry, "value"), variables);
      continue;
    }
    auto value = valueFrom(sources, pod, *from, podIp);
    if (!value) return std::unexpected(value.error());
    if (*value) variables[name] = std::move(**value);
  }
  for (const auto& [name, value] : variables)
    if (value.find('\0') != std::string::npos) return std::unexpected("the value of variable " + name + " holds a NUL byte");
  return variables;
}

std::vector<std::string> resolveArguments(const Json& container, const Variables& variables) {
  std::vector<std::string> arguments;
  for (const Json& argument : listMember(container, "args"))
    if (argument.is_string()) arguments.push_back(expand(argument.get<std::string>(), variables));
  return arguments;
}

std::expected<void, std::string> layOutMounts(PodSources& sources, const kube::Object& pod, const Json& container,
                                              const std::filesystem::path& root) {
  std::set<std::filesystem::path> folders;
  for (const Json& mount : listMember(container, "volumeMounts")) {
    const std::string name = textMember(mount, "name");
    const Json* volume = findVolume(pod, name);
    if (!volume) return std::unexpected("volume \"" + name + "\" is mounted but not defined");
    auto folder = mountFolder(root, textMember(mount, "mountPath"));
    if (!folder) return std::unexpected(folder.error());
    if (!folders.insert(*folder).second) return std::unexpected("two volumes are mounted at '" + textMember(mount, "mountPath") + "'");
    if (auto done = layOutMount(sources, *volume, *folder); !done) return done;
  }
  return {};
}

}  // namespace pilotlight::local
