#include "core/sources.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pilotlight::core {

namespace {

using Json = nlohmann::json;

void addSources(const std::vector<api::SourceMount>& mounts, SourceKind kind, bool envOnly, std::vector<Source>& out) {
  for (const auto& mount : mounts) {
    if (mount.env || !envOnly) {
      out.push_back({kind, mount.name});
    }
  }
}

template <typename Spec>
std::vector<Source> sourcesIn(const Spec& spec, bool envOnly) {
  std::vector<Source> sources;
  addSources(spec.secrets, SourceKind::secret, envOnly, sources);
  addSources(spec.config, SourceKind::configMap, envOnly, sources);
  for (const auto& variable : spec.env) {
    if (variable.valueFrom && variable.valueFrom->secretKeyRef) {
      sources.push_back({SourceKind::secret, variable.valueFrom->secretKeyRef->name});
    } else if (variable.valueFrom && variable.valueFrom->configMapKeyRef) {
      sources.push_back({SourceKind::configMap, variable.valueFrom->configMapKeyRef->name});
    }
  }
  return sources;
}

/// `db` of `… secret "db" not found …`
std::string quotedAfter(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) {
    return "";
  }
  text.remove_prefix(at + before.size());
  const std::size_t end = text.find('"');
  return end != std::string_view::npos && text.substr(end).starts_with("\" not found") ? std::string(text.substr(0, end)) : "";
}

}  // namespace

std::string toString(const Source& source) {
  return (source.kind == SourceKind::secret ? "Secret " : "ConfigMap ") + source.name;
}

std::vector<Source> sourcesOf(const api::FunctionSpec& spec) {
  return sourcesIn(spec, false);
}

std::vector<Source> envSourcesOf(const api::FunctionVersionSpec& spec) {
  return sourcesIn(spec, true);
}

std::optional<Source> missingSource(const std::vector<Source>& sources, const SourceView& view) {
  if (view.sight != SourceView::Sight::clear) {
    return std::nullopt;
  }
  const auto it = std::ranges::find_if(sources, [&view](const Source& source) { return !view.revisions.contains(source); });
  return it == sources.end() ? std::nullopt : std::optional(*it);
}

std::optional<Source> missingSource(std::string_view message) {
  for (const auto& [kind, word] : {std::pair{SourceKind::secret, "secret \""}, std::pair{SourceKind::configMap, "configmap \""}}) {
    if (std::string name = quotedAfter(message, word); !name.empty()) {
      return Source{kind, std::move(name)};
    }
  }
  return std::nullopt;
}

std::string envSourceRevisions(const api::FunctionVersionSpec& spec, const SourceView& view, const std::string& before) {
  const Json known = Json::parse(before, nullptr, false);
  Json revisions = Json::object();
  for (const Source& source : envSourcesOf(spec)) {
    const std::string key = toString(source);
    if (const auto seen = view.revisions.find(source); seen != view.revisions.end()) {
      revisions[key] = seen->second;
    } else if (known.is_object() && known.contains(key)) {
      revisions[key] = known[key];
    }
  }
  return revisions.empty() ? "" : revisions.dump();
}

}  // namespace pilotlight::core
