// Container images in archives: an OCI image layout (oci-archive, `docker save` since 25, `buildah push oci-archive:`) or what
// `docker save` wrote before (docker-archive). Pure file work: no registry, no daemon, nothing unpacked.
//
// What is read is checked: digests, sizes, that layers and diff_ids belong together. What is written is an OCI layout with
// Docker's manifest.json beside it, so that docker, podman, containerd, skopeo and kind all load it; the same input gives the
// same bytes.
// Thread-safety: one thread.
#pragma once

#include <expected>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/image/tar.h"

namespace pilotlight::cli {

struct Layer {
  std::string mediaType;  ///< OCI's
  std::string digest;     ///< "sha256:…"
  std::uint64_t size = 0;
  std::string entry;    ///< of the archive it is in; empty: `content` is it
  std::string content;  ///< of a new layer
};

struct Image {
  nlohmann::json config;  ///< OCI's image configuration
  std::vector<Layer> layers;
};

/// The image for `architecture` ("amd64") in the archive. Errors name the archive, and what of it is wrong.
std::expected<Image, std::string> readImage(TarFile& archive, const std::string& architecture);

struct AddedLayer {
  std::string tar;      ///< what the layer holds
  std::string history;  ///< how it came
};
/// On top of the others, gzipped.
void addLayer(Image& image, const AddedLayer& layer);
void setLabel(Image& image, const std::string& name, const std::string& value);

/// Written beside and renamed, so that there is a whole archive or none. `archive` holds the image's old layers.
std::expected<void, std::string> writeImage(const Image& image, TarFile& archive, const std::string& tag,
                                            const std::filesystem::path& path);

/// "hello:1" -> "docker.io/library/hello:1", as container runtimes call it. The error says what is wrong with the name.
std::expected<std::string, std::string> fullImageName(const std::string& tag);

}  // namespace pilotlight::cli
