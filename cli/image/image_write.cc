#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/image/digest.h"
#include "cli/image/image.h"

namespace pilotlight::cli {

using Json = nlohmann::json;
using Failure = std::unexpected<std::string>;

namespace {

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr const char* kConfigType = "application/vnd.oci.image.config.v1+json";

std::string blobOf(const std::string& digest) {
  return "blobs/sha256/" + digest.substr(digest.find(':') + 1);
}

Json descriptor(const char* type, const std::string& content) {
  return {{"mediaType", type}, {"digest", sha256Of(content)}, {"size", content.size()}};
}

struct Documents {
  std::string config, manifest, index, docker;
};

Documents documentsOf(const Image& image, const std::string& fullName) {
  Documents all;
  all.config = image.config.dump();
  Json manifest = {
      {"schemaVersion", 2}, {"mediaType", kManifestType}, {"config", descriptor(kConfigType, all.config)}, {"layers", Json::array()}};
  Json docker = {{"Config", blobOf(sha256Of(all.config))}, {"RepoTags", {fullName}}, {"Layers", Json::array()}};
  for (const auto& layer : image.layers) {
    manifest["layers"].push_back({{"mediaType", layer.mediaType}, {"digest", layer.digest}, {"size", layer.size}});
    docker["Layers"].push_back(blobOf(layer.digest));
  }
  all.manifest = manifest.dump();
  Json entry = descriptor(kManifestType, all.manifest);
  entry["annotations"] = {{"io.containerd.image.name", fullName},
                          {"org.opencontainers.image.ref.name", fullName.substr(fullName.rfind(':') + 1)}};
  all.index = Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", {entry}}}.dump();
  all.docker = Json::array({docker}).dump();
  return all;
}

/// The old layers are checked once more on their way: the archive may have changed since it was read.
std::expected<void, std::string> copyLayer(TarWriter& tar, const Layer& layer, TarFile& archive) {
  const auto* entry = archive.find(layer.entry);
  if (entry == nullptr || entry->size != layer.size) return Failure(layer.entry + " is not what it was");
  Sha256 sum;
  tar.begin(blobOf(layer.digest), layer.size);
  auto done = archive.read(*entry, [&](std::string_view part) {
    sum.update(part);
    tar.part(part);
    return true;
  });
  if (!done) return done;
  tar.end();
  if (sum.digest() != layer.digest) return Failure(layer.entry + " is not what it was");
  return {};
}

std::expected<void, std::string> writeAll(TarWriter& tar, const Image& image, TarFile& archive, const Documents& documents) {
  tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  tar.file("index.json", documents.index);
  tar.file("manifest.json", documents.docker);
  tar.folder("blobs");
  tar.folder("blobs/sha256");
  tar.file(blobOf(sha256Of(documents.manifest)), documents.manifest);
  tar.file(blobOf(sha256Of(documents.config)), documents.config);
  std::set<std::string> written;  // empty layers are often there twice
  for (const auto& layer : image.layers) {
    if (!written.insert(layer.digest).second) continue;
    if (layer.entry.empty()) {
      tar.file(blobOf(layer.digest), layer.content);
    } else if (auto copied = copyLayer(tar, layer, archive); !copied) {
      return copied;
    }
  }
  tar.finish();
  return {};
}

}  // namespace

void addLayer(Image& image, const AddedLayer& added) {
  Layer layer{.mediaType = "application/vnd.oci.image.layer.v1.tar+gzip", .digest = "", .size = 0, .entry = "", .content = gzip(added.tar)};
  layer.digest = sha256Of(layer.content);
  layer.size = layer.content.size();
  image.config["rootfs"]["diff_ids"].push_back(sha256Of(added.tar));
  if (image.config.contains("history") && image.config["history"].is_array())
    image.config["history"].push_back({{"created_by", added.history}});
  image.layers.push_back(std::move(layer));
}

void setLabel(Image& image, const std::string& name, const std::string& value) {
  Json& labels = image.config["config"]["Labels"];
  if (!labels.is_object()) labels = Json::object();
  labels[name] = value;
}

std::expected<void, std::string> writeImage(const Image& image, TarFile& archive, const std::string& tag,
                                            const std::filesystem::path& path) {
  const auto fullName = fullImageName(tag);
  if (!fullName) return Failure(fullName.error());
  const std::filesystem::path temporary = path.string() + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  TarWriter tar([&](std::string_view part) { file.write(part.data(), static_cast<std::streamsize>(part.size())); });
  auto done = file ? writeAll(tar, image, archive, documentsOf(image, *fullName)) : Failure(std::string("it cannot be written"));
  file.close();
  std::error_code error;
  if (done && !file) done = Failure(std::string("it cannot be written: is the disk full?"));
  if (done) std::filesystem::rename(temporary, path, error);
  if (done && error) done = Failure(error.message());
  if (done) return {};
  std::filesystem::remove(temporary, error);
  return Failure(fmt::format("{}: {}", path.string(), done.error()));
}

std::expected<std::string, std::string> fullImageName(const std::string& tag) {
  const auto refuse = [&] { return Failure(fmt::format("\"{}\" is no image name; for example registry.example/shop/orders:1.4", tag)); };
  const auto slash = tag.find('/');
  const auto colon = tag.rfind(':');
  const bool tagged = colon != std::string::npos && tag.find('/', colon) == std::string::npos;
  const std::string version = tagged ? tag.substr(colon + 1) : "latest";
  const std::string name = tagged ? tag.substr(0, colon) : tag;
  if (name.empty() || version.empty() || name.size() > 255 || version.size() > 128 || name.front() == '/' || name.back() == '/')
    return refuse();
  const bool nameFits = name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:") == std::string::npos;
  const bool versionFits =
      version.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (!nameFits || !versionFits) return refuse();
  // The first part is a registry when it looks like a host, as Docker has it.
  const std::string first = slash == std::string::npos ? "" : name.substr(0, slash);
  const bool registry = first.find_first_of(".:") != std::string::npos || first == "localhost";
  const std::string prefix = registry ? "" : slash == std::string::npos ? "docker.io/library/" : "docker.io/";
  return prefix + name + ":" + version;
}

}  // namespace pilotlight::cli
