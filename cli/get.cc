#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/printers.h"
#include "cli/table.h"
#include "cli/target.h"
#include "kube/yaml.h"

namespace pilotlight::cli {

using kube::Json;
using kube::Object;
using kube::Resource;

namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

Table makeTable(const Resource& resource, const std::vector<Object>& objects, const GetOptions& options, Now now) {
  const bool wide = options.output == "wide";
  std::vector<std::string> names;
  if (options.allNamespaces) names.push_back("NAMESPACE");
  for (const auto& column : columnsOf(resource)) {
    if (wide || !column.wide) names.push_back(upper(column.name));
  }
  Table table(names);
  for (const auto& object : objects) {
    const auto cells = cellsOf(resource, object, now);
    std::vector<std::string> row;
    if (options.allNamespaces) row.push_back(object.namespace_());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (wide || !columnsOf(resource)[i].wide) row.push_back(cells[i]);
    }
    table.add(std::move(row));
  }
  return table;
}

void print(Context& context, const Resource& resource, const std::vector<Object>& objects, const GetOptions& options, bool single,
           bool header) {
  if (options.output == "name") {
    for (const auto& object : objects) context.out << nameOf(resource, object.name()) << "\n";
  } else if (options.output == "json" || options.output == "yaml") {
    Json all = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array()}};
    for (const auto& object : objects) all["items"].push_back(object.json());
    const Json& json = single && objects.size() == 1 ? all["items"][0] : all;
    context.out << (options.output == "json" ? json.dump(4) + "\n" : kube::jsonToYaml(json));
  } else {
    context.out << makeTable(resource, objects, options, context.now()).toString(header && !options.noHeaders);
  }
  context.out.flush();
}

/// Prints a row per event until the connection ends; a watch that the server ends in an orderly way is opened again.
int follow(Context& context, Connection& connection, const Target& target, const std::string& namespace_, std::string version,
           const GetOptions& options) {
  for (;;) {
    auto watch = connection.client->watch(target.resource,
                                          {.namespace_ = namespace_, .labelSelector = options.selector, .resourceVersion = version});
    if (!watch) return fail(context, watch.error());
    for (;;) {
      const auto event = (*watch)->next(std::chrono::seconds(60));
      if (!event && event.error().code == kube::ErrorCode::timeout) break;
      if (!event) return fail(context, event.error());
      if (!*event) continue;
      const Object& object = (*event)->object;
      version = object.resourceVersion();
      if ((*event)->type == kube::WatchEvent::Type::bookmark) continue;
      if (target.name.empty() || target.name == object.name()) print(context, target.resource, {object}, options, true, false);
      if (!context.out) return 0;  // nobody reads any more
    }
  }
}

struct Found {
  std::vector<Object> objects;
  std::string version;  // to watch from
  int code = 0;
};

/// What the targets name. An object that is not there is told at once and keeps nothing of the others back.
Found find(Context& context, Connection& connection, const std::vector<Target>& targets, const std::string& namespace_,
           const GetOptions& options) {
  Found found;
  for (const auto& target : targets) {
    if (target.name.empty()) {
      auto list = connection.client->list(target.resource, {.namespace_ = namespace_, .labelSelector = options.selector});
      if (!list) return {{}, "", fail(context, list.error())};
      return {std::move(list->items), list->resourceVersion, 0};
    }
    if (target.resource != targets.front().resource) return {{}, "", fail(context, "one type at a time, please")};
    auto object = connection.client->get(target.resource, {connection.namespace_, target.name});
    if (!object) {
      found.code = fail(context, object.error());
      continue;
    }
    found.version = object->resourceVersion();
    found.objects.push_back(std::move(*object));
  }
  return found;
}

}  // namespace

int get(Context& context, const GetOptions& options) {
  std::vector<std::string> words = {options.what};
  words.insert(words.end(), options.names.begin(), options.names.end());
  const auto targets = parseTargets(words);
  if (!targets) return fail(context, targets.error());
  auto connection = connect(context);
  if (!connection) return 1;
  const std::string namespace_ = options.allNamespaces ? "" : connection->namespace_;
  const auto found = find(context, *connection, *targets, namespace_, options);
  const Target& first = targets->front();
  const bool table = options.output.empty() || options.output == "wide";
  if (found.objects.empty()) {
    if (found.code != 0) return found.code;
    if (table && !options.watch) {
      context.err << (options.allNamespaces ? "No resources found\n" : fmt::format("No resources found in {} namespace.\n", namespace_));
      return 0;
    }
  }
  if (!found.objects.empty() || !options.watch) print(context, first.resource, found.objects, options, !first.name.empty(), true);
  if (!options.watch || found.code != 0) return found.code;
  return follow(context, *connection, first, namespace_, found.version, options);
}

}  // namespace pilotlight::cli
