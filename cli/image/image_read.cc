#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/image/digest.h"
#include "cli/image/image.h"

namespace pilotlight::cli {

using Json = nlohmann::json;

namespace {

template <class T>
using Or = std::expected<T, std::string>;
using Failure = std::unexpected<std::string>;

constexpr std::size_t kMaxJson = 4U << 20;
constexpr std::size_t kMaxLayers = 1000;
constexpr int kMaxDepth = 3;  // indexes within indexes
constexpr std::string_view kSha256 = "sha256:";

std::string text(const Json& object, const char* field) {
  const auto found = object.is_object() ? object.find(field) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& member(const Json& object, const char* field) {
  static const Json none;
  const auto found = object.is_object() ? object.find(field) : object.end();
  return found != object.end() ? *found : none;
}

Or<Json> parse(const std::string& name, const std::string& content) {
  auto json = Json::parse(content, nullptr, false);
  if (json.is_discarded()) return Failure(name + " is not JSON");
  return json;
}

/// "blobs/sha256/0123…" of "sha256:0123…"
Or<std::string> blobOf(const std::string& digest) {
  const bool known = digest.starts_with(kSha256) && digest.size() == kSha256.size() + 64 &&
                     digest.find_first_not_of("0123456789abcdef", kSha256.size()) == std::string::npos;
  if (!known) return Failure(fmt::format("digest \"{}\" is not one of sha256", digest.substr(0, 100)));
  return "blobs/sha256/" + digest.substr(kSha256.size());
}

Or<std::string> digestOf(TarFile& archive, const TarFile::Entry& entry) {
  Sha256 sum;
  auto done = archive.read(entry, [&](std::string_view part) {
    sum.update(part);
    return true;
  });
  if (!done) return Failure(done.error());
  return sum.digest();
}

Or<void> checkDigest(const std::string& name, const std::string& digest, const std::string& is) {
  if (digest != is) return Failure(fmt::format("{}: its digest is {}, not {}", name, is, digest));
  return {};
}

Or<Json> jsonBlob(TarFile& archive, const Json& descriptor) {
  const std::string digest = text(descriptor, "digest");
  const auto name = blobOf(digest);
  if (!name) return Failure(name.error());
  const auto content = archive.readAll(*name, kMaxJson);
  if (!content) return Failure(content.error());
  if (auto checked = checkDigest(*name, digest, sha256Of(*content)); !checked) return Failure(checked.error());
  return parse(*name, *content);
}

Or<std::string> layerType(const std::string& type) {
  static const std::map<std::string, std::string> known = {
      {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar"},
      {"application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+gzip"},
      {"application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+zstd"},
      {"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"},
      {"application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"},
  };
  const auto found = known.find(type);
  if (found == known.end()) return Failure(fmt::format("layers of type \"{}\" are not supported", type));
  return found->second;
}

bool isIndex(const Json& document) {
  return member(document, "manifests").is_array();
}

/// Of an index's images the one for linux on `architecture`; what has no platform counts as that.
Or<Json> choose(const Json& index, const std::string& architecture) {
  std::vector<Json> fitting;
  std::string others;
  for (const auto& each : member(index, "manifests")) {
    const Json& platform = member(each, "platform");
    const std::string is = platform.is_object() ? text(platform, "os") + "/" + text(platform, "architecture") : "";
    if (is.empty() || is == "linux/" + architecture) {
      fitting.push_back(each);
    } else if (is != "unknown/unknown") {  // attestations
      others += (others.empty() ? "" : ", ") + is;
    }
  }
  if (fitting.size() > 1) return Failure(fmt::format("it holds {} images; save the one that is meant alone", fitting.size()));
  if (fitting.empty())
    return Failure(fmt::format("it holds no image for linux/{}{}", architecture, others.empty() ? "" : ": only " + others));
  return fitting.front();
}

Or<Image> readManifest(TarFile& archive, const Json& manifest) {
  Image image;
  auto config = jsonBlob(archive, member(manifest, "config"));
  if (!config) return Failure(config.error());
  image.config = *std::move(config);
  const Json& layers = member(manifest, "layers");
  if (!layers.is_array() || layers.size() > kMaxLayers) return Failure("its manifest has no list of layers, or too long a one");
  for (const auto& each : layers) {
    const std::string digest = text(each, "digest");
    const auto name = blobOf(digest);
    if (!name) return Failure(name.error());
    const auto type = layerType(text(each, "mediaType"));
    if (!type) return Failure(type.error());
    const auto* entry = archive.find(*name);
    if (entry == nullptr) return Failure(fmt::format("there is no {} in it", *name));
    if (!member(each, "size").is_number_unsigned() || member(each, "size").get<std::uint64_t>() != entry->size)
      return Failure(fmt::format("{} has {} bytes, and not what its manifest says", *name, entry->size));
    const auto is = digestOf(archive, *entry);
    if (!is) return Failure(is.error());
    if (auto checked = checkDigest(*name, digest, *is); !checked) return Failure(checked.error());
    image.layers.push_back({*type, digest, entry->size, *name, ""});
  }
  return image;
}

Or<Image> readOci(TarFile& archive, const std::string& architecture) {
  const auto content = archive.readAll("index.json", kMaxJson);
  if (!content) return Failure(content.error());
  auto document = parse("index.json", *content);
  for (int depth = 0; document && isIndex(*document); ++depth) {
    if (depth == kMaxDepth) return Failure("its indexes lead to indexes");
    const auto chosen = choose(*document, architecture);
    if (!chosen) return Failure(chosen.error());
    document = jsonBlob(archive, *chosen);
  }
  if (!document) return Failure(document.error());
  return readManifest(archive, *document);
}

/// Reading is ended after the first part, which counts as a failure.
bool isGzip(TarFile& archive, const TarFile::Entry& entry) {
  std::string head;
  const auto read = archive.read(entry, [&](std::string_view part) {
    if (head.empty()) head = part.substr(0, 2);
    return false;  // enough
  });
  return !read && head == "\x1f\x8b";
}

Or<Image> readDocker(TarFile& archive) {
  const auto content = archive.readAll("manifest.json", kMaxJson);
  if (!content) return Failure(content.error());
  const auto manifests = parse("manifest.json", *content);
  if (!manifests) return Failure(manifests.error());
  if (!manifests->is_array() || manifests->size() != 1)
    return Failure(fmt::format("it holds {} images; save the one that is meant alone", manifests->is_array() ? manifests->size() : 0));
  const Json& manifest = manifests->front();
  Image image;
  const auto config = archive.readAll(text(manifest, "Config"), kMaxJson);
  if (!config) return Failure(config.error());
  auto parsed = parse(text(manifest, "Config"), *config);
  if (!parsed) return Failure(parsed.error());
  image.config = *std::move(parsed);
  const Json& layers = member(manifest, "Layers");
  const Json& diffIds = member(member(image.config, "rootfs"), "diff_ids");
  if (!layers.is_array() || layers.size() > kMaxLayers) return Failure("its manifest has no list of layers, or too long a one");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string name = layers[i].is_string() ? layers[i].get<std::string>() : "";
    const auto* entry = archive.find(name);
    if (entry == nullptr) return Failure(fmt::format("there is no layer \"{}\" in it (links are not followed)", name));
    const auto is = digestOf(archive, *entry);
    if (!is) return Failure(is.error());
    const bool packed = isGzip(archive, *entry);
    if (!packed && diffIds.is_array() && i < diffIds.size() && diffIds[i].is_string()) {
      if (auto checked = checkDigest(name, diffIds[i], *is); !checked) return Failure(checked.error());
    }
    image.layers.push_back(
        {packed ? "application/vnd.oci.image.layer.v1.tar+gzip" : "application/vnd.oci.image.layer.v1.tar", *is, entry->size, name, ""});
  }
  return image;
}

Or<void> checkConfig(const Image& image, const std::string& architecture) {
  const Json& diffIds = member(member(image.config, "rootfs"), "diff_ids");
  if (!diffIds.is_array() || diffIds.size() != image.layers.size())
    return Failure(fmt::format("its configuration tells of {} layers, its manifest of {}", diffIds.is_array() ? diffIds.size() : 0,
                               image.layers.size()));
  const std::string platform = text(image.config, "os") + "/" + text(image.config, "architecture");
  if (platform != "linux/" + architecture) return Failure(fmt::format("it is for {}, the shim for linux/{}", platform, architecture));
  for (const char* field : {"config", "history"}) {
    const Json& value = member(image.config, field);
    if (!value.is_null() && value.is_object() != (std::string_view(field) == "config"))
      return Failure(fmt::format("its configuration's {} is of a wrong type", field));
  }
  return {};
}

}  // namespace

std::expected<Image, std::string> readImage(TarFile& archive, const std::string& architecture) {
  const bool oci = archive.find("index.json") != nullptr;
  if (!oci && archive.find("manifest.json") == nullptr)
    return Failure("neither an OCI image layout (index.json) nor a docker archive (manifest.json)");
  auto image = oci ? readOci(archive, architecture) : readDocker(archive);
  if (!image) return image;
  if (auto checked = checkConfig(*image, architecture); !checked) return Failure(checked.error());
  return image;
}

}  // namespace pilotlight::cli
