#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/manifest_files.h"
#include "cli/printers.h"
#include "cli/target.h"

namespace pilotlight::cli {

namespace fs = std::filesystem;
using kube::Json;

namespace {

/// Every file, each on its own: a wrong one keeps nothing of the others back.
std::expected<std::vector<ManifestFile>, std::string> readAll(Context& context, const std::vector<std::string>& given, bool local,
                                                              const std::string& namespace_) {
  std::vector<ManifestFile> files;
  std::vector<fs::path> paths;
  for (const auto& name : given) {
    if (name == "-") {
      files.push_back(
          readManifestText("stdin", std::string(std::istreambuf_iterator<char>(context.in), {}), fs::current_path(), local, namespace_));
    } else {
      paths.emplace_back(name);
    }
  }
  const auto found = findManifestFiles(paths);
  if (!found) return std::unexpected(found.error());
  if (found->empty() && files.empty()) return std::unexpected("no *.yaml or *.yml file there");
  for (const auto& path : *found) files.push_back(readManifestFile(path, local, namespace_));
  return files;
}

int printErrors(Context& context, const std::vector<ManifestFile>& files) {
  int code = 0;
  for (const auto& file : files) {
    for (const auto& error : file.errors) code = fail(context, error);
  }
  return code;
}

kube::Key keyOf(const Json& object) {
  return {object.at("metadata").at("namespace"), object.at("metadata").at("name")};
}

int removeOne(Context& context, Connection& connection, const kube::Resource& resource, const kube::Key& key, bool ignoreNotFound) {
  const auto done = connection.api->remove(resource, key);
  if (!done && done.error().code == kube::ErrorCode::notFound && ignoreNotFound) return 0;
  if (!done) return fail(context, done.error());
  context.out << nameOf(resource, key.name, true) << " deleted\n";
  return 0;
}

}  // namespace

int apply(Context& context, const ApplyFileOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  const auto files = readAll(context, options.files, connection->local, connection->namespace_);
  if (!files) return fail(context, files.error());
  int code = printErrors(context, *files);
  for (const auto& file : *files) {
    for (const auto& object : file.objects) {
      const auto& resource = resourceOf(object);
      const auto done = connection->api->apply(resource, object, options.forceConflicts);
      if (!done) {
        code = fail(context, done.error());
        if (done.error().code == kube::ErrorCode::conflict) context.err << "Take the fields over with --force-conflicts.\n";
        continue;
      }
      const char* word = *done == Applied::created ? "created" : *done == Applied::configured ? "configured" : "unchanged";
      context.out << nameOf(resource, keyOf(object).name) << " " << word << "\n";
    }
  }
  return code;
}

int validate(Context& context, const ApplyFileOptions& options) {
  // As `pilotlight local` reads them: an image may be left out.
  const auto files = readAll(context, options.files, true, "default");
  if (!files) return fail(context, files.error());
  for (const auto& file : *files) {
    for (const auto& object : file.objects) context.out << nameOf(resourceOf(object), keyOf(object).name) << " is valid\n";
  }
  return printErrors(context, *files);
}

int remove(Context& context, const DeleteCommandOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  int code = 0;
  if (!options.files.empty()) {
    const auto files = readAll(context, options.files, connection->local, connection->namespace_);
    if (!files) return fail(context, files.error());
    code = printErrors(context, *files);
    for (const auto& file : *files) {
      for (const auto& object : file.objects)
        code |= removeOne(context, *connection, resourceOf(object), keyOf(object), options.ignoreNotFound);
    }
    return code;
  }
  const auto targets = parseTargets(options.target);
  if (!targets) return fail(context, targets.error());
  for (const auto& target : *targets) {
    if (target.name.empty()) return fail(context, "delete what? For example: pilotlight delete fn/NAME");
    code |= removeOne(context, *connection, target.resource, {connection->namespace_, target.name}, options.ignoreNotFound);
  }
  return code;
}

}  // namespace pilotlight::cli
