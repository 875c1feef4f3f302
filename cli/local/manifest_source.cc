#include "cli/local/manifest_source.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <tuple>

#include "cli/local/folder_watch.h"
#include "cli/manifest_files.h"
#include "cli/printers.h"

namespace pilotlight::local {

namespace fs = std::filesystem;
using kube::Json;
using Kind = ManifestReport::Kind;

namespace {

/// What tells that a file is another one or was written to.
struct Stamp {
  std::int64_t time = 0;
  std::uintmax_t size = 0;
  auto operator<=>(const Stamp&) const = default;
};

std::optional<Stamp> stampOf(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return std::nullopt;
  const auto size = fs::file_size(path, error);
  return Stamp{time.time_since_epoch().count(), error ? 0 : size};
}

struct ObjectId {
  kube::Resource resource;
  kube::Key key;
  auto operator<=>(const ObjectId&) const = default;
};

std::string textOf(const ObjectId& id) {
  return cli::nameOf(id.resource, id.key.name);
}

using Stamps = std::map<fs::path, std::optional<Stamp>>;

struct File {
  Stamps stamps;                     // of the file and of the files that its Functions' commands name
  std::map<ObjectId, Json> objects;  // of its last right content
};

}  // namespace

struct ManifestSource::Impl {
  Impl(kube::Client& client_, ManifestSourceOptions options_) : client(client_), options(std::move(options_)) {}

  void pass();
  void read(const fs::path& path, File& file);
  Stamps stampsOf(const fs::path& path, const File& file) const;
  std::map<ObjectId, const Json*> desired();
  void applyChanged(const std::map<ObjectId, const Json*>& wanted);
  void deleteGone(const std::map<ObjectId, const Json*>& wanted);
  void watchFolders();
  void watchLoop();
  void report(Kind kind, std::string text) const {
    if (options.report) options.report({kind, std::move(text)});
  }

  kube::Client& client;
  const ManifestSourceOptions options;
  // Touched by start() and then by the watching thread only:
  std::map<fs::path, File> files;
  std::map<ObjectId, Json> applied;
  std::set<std::string> duplicates;    // messages given already
  std::set<std::string> handlerNames;  // file names whose change matters
  bool limitReported = false;
  FolderWatch watch;
  std::thread thread;
};

Stamps ManifestSource::Impl::stampsOf(const fs::path& path, const File& file) const {
  Stamps stamps{{path, stampOf(path)}};
  for (const auto& [id, object] : file.objects) {
    if (id.resource != kube::resources::functions) continue;
    for (const auto& own : cli::handlerPaths(object, path.parent_path())) stamps[own] = stampOf(own);
  }
  return stamps;
}

void ManifestSource::Impl::read(const fs::path& path, File& file) {
  // The stamp comes first: what is written while we read makes another pass read again.
  const auto before = stampOf(path);
  auto content = cli::readManifestFile(path, true, "default");
  for (const auto& error : content.errors) report(Kind::wrong, error);
  if (content.errors.empty()) {
    file.objects.clear();
    for (auto& object : content.objects) {
      const auto& metadata = object.at("metadata");
      const ObjectId id{cli::resourceOf(object), {metadata.at("namespace"), metadata.at("name")}};
      if (!file.objects.emplace(id, std::move(object)).second)
        report(Kind::wrong, fmt::format("{}: {} is there twice; the first one counts", path.string(), textOf(id)));
    }
  } else if (!file.objects.empty()) {
    report(Kind::note, fmt::format("{}: what it made before keeps running", path.string()));
  }
  file.stamps = stampsOf(path, file);
  file.stamps[path] = before;
}

std::map<ObjectId, const Json*> ManifestSource::Impl::desired() {
  std::map<ObjectId, const Json*> wanted;
  std::map<ObjectId, fs::path> from;
  std::set<std::string> now;
  for (const auto& [path, file] : files) {
    for (const auto& [id, object] : file.objects) {
      if (wanted.emplace(id, &object).second) {
        from[id] = path;
        continue;
      }
      const auto text = fmt::format("{}: {} is already in {}; that one counts", path.string(), textOf(id), from[id].string());
      if (now.insert(text).second && !duplicates.contains(text)) report(Kind::wrong, text);
    }
  }
  duplicates = std::move(now);
  return wanted;
}

void ManifestSource::Impl::applyChanged(const std::map<ObjectId, const Json*>& wanted) {
  // Functions last: what they mount should be there when they start.
  for (const bool functions : {false, true}) {
    for (const auto& [id, object] : wanted) {
      if ((id.resource == kube::resources::functions) != functions) continue;
      const auto before = applied.find(id);
      if (before != applied.end() && before->second == *object) continue;
      const auto existing = client.get(id.resource, id.key);
      const auto done = client.apply(id.resource, *object, {kManagerLocal, true});  // the file is the truth
      if (!done) {
        report(Kind::wrong, fmt::format("{}: {}", textOf(id), done.error().message));
        continue;
      }
      applied[id] = *object;
      const bool same = existing && existing->resourceVersion() == done->resourceVersion();
      const char* word = !existing ? "created" : same ? "unchanged" : "configured";
      report(!existing ? Kind::created : same ? Kind::unchanged : Kind::configured, textOf(id) + " " + word);
    }
  }
}

void ManifestSource::Impl::deleteGone(const std::map<ObjectId, const Json*>& wanted) {
  for (auto at = applied.begin(); at != applied.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    const auto done = client.remove(at->first.resource, at->first.key);
    if (!done && done.error().code != kube::ErrorCode::notFound) {
      report(Kind::wrong, fmt::format("delete {}: {}", textOf(at->first), done.error().message));
      ++at;  // the next pass tries again
      continue;
    }
    report(Kind::deleted, textOf(at->first) + " deleted");
    at = applied.erase(at);
  }
}

void ManifestSource::Impl::pass() {
  std::vector<fs::path> found;
  for (const auto& path : options.paths) {  // one by one: a path that went away must not hide the others
    if (auto some = cli::findManifestFiles({path})) found.insert(found.end(), some->begin(), some->end());
  }
  const std::set<fs::path> present(found.begin(), found.end());
  std::erase_if(files, [&](const auto& entry) { return !present.contains(entry.first); });
  for (const auto& path : present) {
    auto [entry, fresh] = files.try_emplace(path);
    if (fresh || entry->second.stamps != stampsOf(path, entry->second)) read(path, entry->second);
  }
  const auto wanted = desired();
  applyChanged(wanted);
  deleteGone(wanted);
}

void ManifestSource::Impl::watchFolders() {
  std::set<fs::path> folders;
  for (auto& folder : cli::manifestFolders(options.paths)) folders.insert(std::move(folder));
  handlerNames.clear();
  for (const auto& [path, file] : files) {
    for (const auto& [own, stamp] : file.stamps) {
      folders.insert(own.parent_path());
      handlerNames.insert(own.filename().string());
    }
  }
  if (!watch.setFolders(folders) && !std::exchange(limitReported, true)) {
    report(Kind::note, "not all folders can be watched (see fs.inotify.max_user_watches): some edits need a restart");
  }
}

void ManifestSource::Impl::watchLoop() {
  const auto interesting = [this](const std::string& name) {
    return name.empty() || cli::isManifestName(name) || handlerNames.contains(name);
  };
  constexpr std::chrono::hours kLong{1};
  for (;;) {
    auto event = watch.wait(kLong, interesting);
    const auto latest = std::chrono::steady_clock::now() + options.debounceMax;
    while (event == FolderWatch::Event::changed && std::chrono::steady_clock::now() < latest)
      event = watch.wait(options.debounce, interesting);
    if (event == FolderWatch::Event::woken) return;
    watchFolders();  // before the pass: what changes from here on wakes us again
    pass();
    watchFolders();  // the commands of new Functions
  }
}

ManifestSource::ManifestSource(kube::Client& client, ManifestSourceOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(options))) {}

ManifestSource::~ManifestSource() {
  stop();
}

std::expected<void, std::string> ManifestSource::start() {
  if (const auto found = cli::findManifestFiles(impl_->options.paths); !found) return std::unexpected(found.error());
  impl_->watchFolders();
  impl_->pass();
  impl_->watchFolders();
  impl_->thread = std::thread([this] { impl_->watchLoop(); });
  return {};
}

void ManifestSource::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->watch.wake();
  impl_->thread.join();
}

}  // namespace pilotlight::local
