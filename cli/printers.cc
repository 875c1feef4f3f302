#include "cli/printers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/types.h"
#include "cli/table.h"

namespace pilotlight::cli {

using kube::Json;
using kube::Object;
using kube::Resource;
namespace res = kube::resources;

namespace {

using Cells = std::vector<std::string>;

std::string number(const Object& object, std::string_view pointer) {
  return std::to_string(object.intAt(pointer));
}

/// The element of a list of conditions with this type.
const Json* condition(const Object& object, std::string_view type) {
  const Json* conditions = object.at("/status/conditions");
  if (conditions == nullptr || !conditions->is_array()) return nullptr;
  for (const auto& item : *conditions) {
    if (item.is_object() && item.value("type", "") == type) return &item;
  }
  return nullptr;
}

std::string text(const Json* object, const char* field) {
  if (object == nullptr || !object->is_object()) return "";
  const auto found = object->find(field);
  return found != object->end() && found->is_string() ? found->get<std::string>() : "";
}

std::string count(const Object& object, std::string_view pointer) {
  const Json* value = object.at(pointer);
  return std::to_string(value == nullptr ? 0 : value->size());
}

Cells functionCells(const Object& o) {
  const Json* ready = condition(o, "Ready");
  const auto status = text(ready, "status");
  return {status.empty() ? "Unknown" : status,
          number(o, "/status/replicas"),
          o.stringAt("/status/url"),
          number(o, "/status/readyReplicas"),
          number(o, "/status/parkedReplicas"),
          o.stringAt("/spec/runtime"),
          number(o, "/status/versions/stable"),
          text(ready, "reason")};
}

std::string podPhase(const Object& o) {
  if (o.deleting()) return "Terminating";
  const Json* statuses = o.at("/status/containerStatuses");
  if (statuses != nullptr && statuses->is_array()) {
    for (const auto& status : *statuses) {
      const auto reason = text(Object(status).at("/state/waiting"), "reason");
      if (!reason.empty()) return reason;
    }
  }
  if (const auto& reason = o.stringAt("/status/reason"); !reason.empty()) return reason;
  return o.stringAt("/status/phase");
}

Cells podCells(const Object& o) {
  std::int64_t ready = 0, all = 0, restarts = 0;
  if (const Json* statuses = o.at("/status/containerStatuses"); statuses != nullptr && statuses->is_array()) {
    for (const auto& status : *statuses) {
      ++all;
      if (!status.is_object()) continue;
      ready += status.value("ready", false) ? 1 : 0;
      restarts += status.value("restartCount", 0);
    }
  }
  if (const Json* containers = o.at("/spec/containers"); all == 0 && containers != nullptr)
    all = static_cast<std::int64_t>(containers->size());
  return {fmt::format("{}/{}", ready, all), podPhase(o), std::to_string(restarts), o.stringAt("/status/podIP")};
}

Cells routeCells(const Object& o) {
  std::string at = o.stringAt("/spec/localPath");
  if (const Json* hosts = o.at("/spec/hosts"); hosts != nullptr && hosts->is_array()) {
    for (const auto& host : *hosts) at += (at.empty() ? "" : ",") + (host.is_string() ? host.get<std::string>() : "");
  }
  std::string backends;
  if (const Json* list = o.at("/spec/backends"); list != nullptr && list->is_array()) {
    for (const auto& b : *list) {
      if (b.is_object()) backends += fmt::format("{}{}={}%", backends.empty() ? "" : ",", b.value("version", 0), b.value("weight", 0));
    }
  }
  return {at, backends};
}

Cells deploymentCells(const Object& o) {
  return {fmt::format("{}/{}", o.intAt("/status/readyReplicas"), o.intAt("/spec/replicas")), number(o, "/status/updatedReplicas"),
          number(o, "/status/availableReplicas")};
}

Cells eventCells(const Object& o) {
  auto kind = o.stringAt("/involvedObject/kind");
  if (kind.empty()) kind = o.stringAt("/regarding/kind");
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return std::tolower(c); });
  auto name = o.stringAt("/involvedObject/name");
  if (name.empty()) name = o.stringAt("/regarding/name");
  auto message = o.stringAt("/message");
  if (message.empty()) message = o.stringAt("/note");
  return {o.stringAt("/type"), o.stringAt("/reason"), kind + "/" + name, message};
}

/// One row per resource: its words, its columns between name and age, the wide ones, and its cells in the same order.
struct Printer {
  Resource resource;
  std::vector<std::string> words;  // the first one is the usual plural
  std::vector<std::string> names, wide;
  Cells (*cells)(const Object&);
  std::vector<Column> columns{};
};

std::vector<Printer> makePrinters() {
  std::vector<Printer> printers = {
      {res::functions,
       {"functions", "function", "fn"},
       {"Ready", "Replicas", "URL"},
       {"Warm", "Parked", "Runtime", "Version", "Reason"},
       functionCells},
      {res::functionVersions,
       {"versions", "version", "functionversions", "functionversion", "fnv"},
       {"Function", "Number"},
       {"Runtime"},
       [](const Object& o) { return Cells{o.stringAt("/spec/function"), number(o, "/spec/number"), o.stringAt("/spec/runtime")}; }},
      {res::functionRoutes, {"routes", "route", "functionroutes", "functionroute", "fnr"}, {"At", "Versions"}, {}, routeCells},
      {res::pods, {"pods", "pod", "po"}, {"Ready", "Status", "Restarts"}, {"IP"}, podCells},
      {res::deployments, {"deployments", "deployment", "deploy"}, {"Ready", "Up-to-date", "Available"}, {}, deploymentCells},
      {res::events, {"events", "event", "ev"}, {"Type", "Reason", "Object", "Message"}, {}, eventCells},
      {res::secrets,
       {"secrets", "secret"},
       {"Type", "Data"},
       {},
       [](const Object& o) { return Cells{o.stringAt("/type"), count(o, "/data")}; }},
      {res::configMaps, {"configmaps", "configmap", "cm"}, {"Data"}, {}, [](const Object& o) { return Cells{count(o, "/data")}; }},
      {res::services, {"services", "service", "svc"}, {"Type"}, {}, [](const Object& o) { return Cells{o.stringAt("/spec/type")}; }},
      {res::serviceAccounts, {"serviceaccounts", "serviceaccount", "sa"}, {}, {}, [](const Object&) { return Cells{}; }},
  };
  for (auto& printer : printers) {
    printer.columns.push_back({"Name"});
    for (const auto& name : printer.names) printer.columns.push_back({name});
    printer.columns.push_back({"Age"});
    for (const auto& name : printer.wide) printer.columns.push_back({name, true});
  }
  return printers;
}

const std::vector<Printer>& printers() {
  static const std::vector<Printer> all = makePrinters();
  return all;
}

const Printer& printerOf(const Resource& resource) {
  const auto found = std::find_if(printers().begin(), printers().end(), [&](const Printer& p) { return p.resource == resource; });
  return found == printers().end() ? printers().back() : *found;
}

/// Events repeat: what counts is when it was last seen.
const std::string& bornAt(const Object& object) {
  const auto& last = object.stringAt("/lastTimestamp");
  return last.empty() ? object.stringAt("/metadata/creationTimestamp") : last;
}

}  // namespace

const std::vector<Column>& columnsOf(const Resource& resource) {
  return printerOf(resource).columns;
}

Cells cellsOf(const Resource& resource, const Object& object, Now now) {
  const Printer& printer = printerOf(resource);
  Cells cells = printer.cells(object);
  cells.resize(printer.names.size() + printer.wide.size());
  cells.insert(cells.begin() + static_cast<std::ptrdiff_t>(printer.names.size()), formatAgeOf(bornAt(object), now));
  cells.insert(cells.begin(), object.name());
  return cells;
}

Json toTable(const Resource& resource, const std::vector<Object>& objects, const std::string& resourceVersion) {
  Json table = {{"kind", "Table"},
                {"apiVersion", "meta.k8s.io/v1"},
                {"metadata", {{"resourceVersion", resourceVersion}}},
                {"columnDefinitions", Json::array()},
                {"rows", Json::array()}};
  for (const auto& column : columnsOf(resource)) {
    table["columnDefinitions"].push_back({{"name", column.name},
                                          {"type", "string"},
                                          {"format", column.name == "Name" ? "name" : ""},
                                          {"description", column.name},
                                          {"priority", column.wide ? 1 : 0}});
  }
  const auto now = std::chrono::system_clock::now();
  for (const auto& object : objects) {
    const Json* metadata = object.at("/metadata");
    table["rows"].push_back({{"cells", cellsOf(resource, object, now)},
                             {"object",
                              {{"kind", "PartialObjectMetadata"},
                               {"apiVersion", "meta.k8s.io/v1"},
                               {"metadata", metadata == nullptr ? Json::object() : *metadata}}}});
  }
  return table;
}

const Resource* resourceByWord(const std::string& word) {
  std::string lower = word.substr(0, word.find('.'));  // functions.pilotlight.dev
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& printer : printers()) {
    if (std::find(printer.words.begin(), printer.words.end(), lower) != printer.words.end()) return &printer.resource;
  }
  return nullptr;
}

std::string resourceWords() {
  std::string words;
  for (const auto& printer : printers()) words += (words.empty() ? "" : ", ") + printer.words.front();
  return words;
}

std::string nameOf(const Resource& resource, const std::string& name, bool quoted) {
  std::string kind = resource.kind;
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!resource.group.empty()) kind += "." + resource.group;
  return quoted ? fmt::format("{} \"{}\"", kind, name) : kind + "/" + name;
}

}  // namespace pilotlight::cli
