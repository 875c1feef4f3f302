#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "api/types.h"
#include "cli/commands.h"
#include "cli/printers.h"
#include "cli/table.h"
#include "cli/target.h"
#include "kube/yaml.h"

namespace pilotlight::cli {

using kube::Json;
using kube::Object;

namespace {

std::string indented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out += "  " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

void field(std::ostream& out, const char* name, const std::string& value) {
  out << fmt::format("{:<14}{}\n", std::string(name) + ":", value.empty() ? "<none>" : value);
}

std::string joined(const Json* object) {
  std::string text;
  if (object == nullptr || !object->is_object()) return text;
  for (const auto& [key, value] : object->items()) {
    text += (text.empty() ? "" : "\n              ") + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

void conditions(std::ostream& out, const Object& object, Now now) {
  const Json* list = object.at("/status/conditions");
  if (list == nullptr || !list->is_array() || list->empty()) return;
  Table table({"TYPE", "STATUS", "AGE", "REASON", "MESSAGE"});
  for (const auto& item : *list) {
    const Object condition(item);
    table.add({condition.stringAt("/type"), condition.stringAt("/status"), formatAgeOf(condition.stringAt("/lastTransitionTime"), now),
               condition.stringAt("/reason"), condition.stringAt("/message")});
  }
  out << "Conditions:\n" << indented(table.toString());
}

void pods(std::ostream& out, Connection& connection, const Object& function, Now now) {
  const auto list = connection.client->list(
      kube::resources::pods,
      {.namespace_ = function.namespace_(), .labelSelector = std::string(api::kLabelFunction) + "=" + function.name()});
  if (!list || list->items.empty()) return;
  Table table({"NAME", "READY", "STATUS", "RESTARTS", "AGE"});
  for (const auto& pod : list->items) {
    auto cells = cellsOf(kube::resources::pods, pod, now);
    cells.resize(5);
    table.add(std::move(cells));
  }
  out << "Pods:\n" << indented(table.toString());
}

void events(std::ostream& out, Connection& connection, const Object& object, Now now) {
  const auto list = connection.client->list(kube::resources::events, {.namespace_ = object.namespace_()});
  Table table({"TYPE", "REASON", "AGE", "MESSAGE"});
  if (list) {
    for (const auto& event : list->items) {
      if (event.stringAt("/involvedObject/name") != object.name() && event.stringAt("/regarding/name") != object.name()) continue;
      const auto cells = cellsOf(kube::resources::events, event, now);  // name, type, reason, object, message, age
      table.add({cells[1], cells[2], cells[5], cells[4]});
    }
  }
  out << (table.empty() ? "Events:       <none>\n" : "Events:\n" + indented(table.toString()));
}

}  // namespace

int describe(Context& context, const TargetOptions& options) {
  const auto targets = parseTargets(options.target);
  if (!targets) return fail(context, targets.error());
  if (targets->front().name.empty()) return fail(context, "describe what? For example: pilotlight describe fn NAME");
  auto connection = connect(context);
  if (!connection) return 1;
  for (const auto& target : *targets) {
    const auto object = connection->client->get(target.resource, {connection->namespace_, target.name});
    if (!object) return fail(context, object.error());
    auto& out = context.out;
    const auto now = context.now();
    field(out, "Name", object->name());
    field(out, "Namespace", object->namespace_());
    field(out, "Labels", joined(object->at("/metadata/labels")));
    field(out, "Annotations", joined(object->at("/metadata/annotations")));
    field(out, "Created", formatAgeOf(object->stringAt("/metadata/creationTimestamp"), now) + " ago");
    if (target.resource == kube::resources::functions) {
      field(out, "URL", object->stringAt("/status/url"));
      field(out, "Version", std::to_string(object->intAt("/status/versions/stable")));
      field(out, "Replicas",
            fmt::format("{} ready, {} parked, {} in all", object->intAt("/status/readyReplicas"), object->intAt("/status/parkedReplicas"),
                        object->intAt("/status/replicas")));
      if (const auto& shim = object->stringAt("/status/shim"); !shim.empty())
        field(out, "Shim", shim == "image" ? "in the image" : "copied in at each start: see `pilotlight build`");
    }
    const bool secret = target.resource == kube::resources::secrets;  // its values are nobody's business here
    if (const Json* spec = object->at("/spec"); spec != nullptr && !secret) out << "Spec:\n" << indented(kube::jsonToYaml(*spec));
    conditions(out, *object, now);
    if (target.resource == kube::resources::functions) pods(out, *connection, *object, now);
    events(out, *connection, *object, now);
  }
  return 0;
}

}  // namespace pilotlight::cli
