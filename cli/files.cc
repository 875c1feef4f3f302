#include "cli/files.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/printers.h"

namespace pilotlight::cli {

namespace fs = std::filesystem;
using kube::Json;

std::expected<std::vector<ManifestFile>, std::string> readGiven(Context& context, const std::vector<std::string>& given, bool local,
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

namespace {

struct Outcome {
  kube::Object object;
  const char* word = "";
};

kube::Result<Outcome> applyOne(kube::Client& client, const Json& object, bool force) {
  const auto& resource = resourceOf(object);
  const auto before = client.get(resource, keyOf(object));
  if (!before && before.error().code != kube::ErrorCode::notFound) return std::unexpected(before.error());
  const auto after = client.apply(resource, object, {.fieldManager = kFieldManager, .force = force});
  if (!after) return std::unexpected(after.error());
  if (!before) return Outcome{*after, "created"};
  return Outcome{*after, after->resourceVersion() == before->resourceVersion() ? "unchanged" : "configured"};
}

}  // namespace

AppliedObjects applyFiles(Context& context, Connection& connection, const ApplyFileOptions& options) {
  const auto files = readGiven(context, options.files, connection.local, connection.namespace_);
  if (!files) return {fail(context, files.error()), {}};
  AppliedObjects applied{printErrors(context, *files), {}};
  for (const auto& file : *files) {
    for (const auto& object : file.objects) {
      const auto done = applyOne(*connection.client, object, options.forceConflicts);
      if (!done) {
        applied.code = fail(context, done.error());
        if (done.error().code == kube::ErrorCode::conflict) context.err << "Take the fields over with --force-conflicts.\n";
        continue;
      }
      context.out << nameOf(resourceOf(object), done->object.name()) << " " << done->word << std::endl;
      applied.objects.push_back(done->object);
    }
  }
  return applied;
}

}  // namespace pilotlight::cli
