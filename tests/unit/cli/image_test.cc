// `pilotlight build` on archives made here.
#include <gmock/gmock.h>

#include <sstream>

#include "cli/app.h"
#include "cli/image/digest.h"
#include "cli/image/image.h"
#include "tests/unit/cli/temp_dir.h"

namespace pilotlight::cli {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

/// Name and content of each entry.
using Entries = std::vector<std::pair<std::string, std::string>>;

std::string tarOf(const Entries& entries) {
  std::string bytes;
  TarWriter tar([&](std::string_view part) { bytes += part; });
  for (const auto& [name, content] : entries) tar.file(name, content);
  tar.finish();
  return bytes;
}

std::string blob(const std::string& content) {
  return "blobs/sha256/" + sha256Of(content).substr(7);
}

/// An image of one layer, and how each of its parts may be spoilt.
struct Sample {
  std::string layer = tarOf({{"hello", "world"}});
  Json config = {{"os", "linux"},
                 {"architecture", "amd64"},
                 {"config", {{"Env", {"A=1"}}, {"User", "65532"}}},
                 {"rootfs", {{"type", "layers"}, {"diff_ids", {sha256Of(layer)}}}},
                 {"history", {{{"created_by", "test"}}}}};
  std::string layerType = "application/vnd.oci.image.layer.v1.tar";

  Json descriptor(const std::string& content, const std::string& type) const {
    return {{"mediaType", type}, {"digest", sha256Of(content)}, {"size", content.size()}};
  }
  std::string manifest() const {
    return Json{{"schemaVersion", 2}, {"config", descriptor(config.dump(), "c")}, {"layers", {descriptor(layer, layerType)}}}.dump();
  }
  Entries oci() const {
    const Json index = {{"schemaVersion", 2}, {"manifests", {descriptor(manifest(), "m")}}};
    return {{"oci-layout", "{}"},
            {"index.json", index.dump()},
            {blob(manifest()), manifest()},
            {blob(config.dump()), config.dump()},
            {blob(layer), layer}};
  }
  Entries docker() const {
    const Json manifests = {{{"Config", "abc.json"}, {"RepoTags", {"x:1"}}, {"Layers", {"1/layer.tar"}}}};
    return {{"manifest.json", manifests.dump()}, {"abc.json", config.dump()}, {"1/layer.tar", layer}};
  }
};

class BuildTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Enough of a program to tell its architecture by.
    std::string elf(
        "\x7f"
        "ELF",
        4);
    elf.resize(64);
    elf[18] = 62;
    shim_ = folder_.write("bin/pilotlight-shim", elf).string();
    std::filesystem::permissions(shim_, std::filesystem::perms::owner_all);
  }
  /// The command's exit code; its words in out_ and err_.
  int build(const std::string& archive, const std::string& tag = "registry.example/x:2") {
    const auto from = folder_.write("from.tar", archive).string();
    std::istringstream in;
    std::ostringstream out, err;
    Context context{in, out, err};
    context.environment = [](const char*) { return std::string(); };
    const int code = cli::run(context, {"build", "--from", from, "--tag", tag, "-o", output().string(), "--shim", shim_},
                              [](Context&, const LocalOptions&) { return 7; });
    out_ = out.str();
    err_ = err.str();
    return code;
  }
  /// What is said of an archive that is refused; nothing may be written then.
  std::string refusal(const std::string& archive) {
    EXPECT_EQ(build(archive), 1) << out_;
    EXPECT_FALSE(std::filesystem::exists(output()));
    EXPECT_FALSE(std::filesystem::exists(output().string() + ".tmp"));
    return err_;
  }
  std::filesystem::path output() const { return folder_ / "out.tar"; }
  Json json(const std::string& name) {
    auto tar = TarFile::open(output());
    EXPECT_TRUE(tar) << tar.error();
    const auto content = tar->readAll(name, 1U << 20);
    EXPECT_TRUE(content) << content.error();
    return Json::parse(content.value_or("null"));
  }
  static std::string path(const Json& descriptor) { return "blobs/sha256/" + descriptor["digest"].get<std::string>().substr(7); }

  const TempDir folder_;
  std::string shim_, out_, err_;
};

TEST_F(BuildTest, AddsALayerAndALabelToAnOciArchive) {
  const Sample sample;
  ASSERT_EQ(build(tarOf(sample.oci())), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("pilotlight.dev/shim-in-image: \"true\""));
  const Json index = json("index.json");
  ASSERT_EQ(index["manifests"].size(), 1U);
  EXPECT_EQ(index["manifests"][0]["annotations"]["io.containerd.image.name"], "registry.example/x:2");
  const Json manifest = json(path(index["manifests"][0]));
  ASSERT_EQ(manifest["layers"].size(), 2U);
  EXPECT_EQ(manifest["layers"][0]["digest"], sha256Of(sample.layer));
  const Json config = json(path(manifest["config"]));
  EXPECT_EQ(config["config"]["Labels"]["dev.pilotlight.shim"], kProductVersion);
  EXPECT_EQ(config["config"]["User"], "65532");
  EXPECT_EQ(config["rootfs"]["diff_ids"].size(), 2U);
  EXPECT_EQ(config["history"].size(), 2U);
}

TEST_F(BuildTest, WhatItWritesItReadsAndTheSameBytesEachTime) {
  ASSERT_EQ(build(tarOf(Sample().docker())), 0) << err_;
  std::ifstream file(output(), std::ios::binary);
  const std::string first(std::istreambuf_iterator<char>(file), {});
  ASSERT_EQ(build(tarOf(Sample().docker())), 0) << err_;
  std::ifstream again(output(), std::ios::binary);
  EXPECT_EQ(first, std::string(std::istreambuf_iterator<char>(again), {}));
  ASSERT_EQ(build(first), 0) << err_;  // every digest in it is right
  EXPECT_EQ(json("manifest.json")[0]["Layers"].size(), 3U);
}

TEST_F(BuildTest, ADockerArchiveBecomesBothKinds) {
  ASSERT_EQ(build(tarOf(Sample().docker()), "x:2"), 0) << err_;
  const Json docker = json("manifest.json");
  EXPECT_EQ(docker[0]["RepoTags"][0], "docker.io/library/x:2");
  EXPECT_EQ(docker[0]["Config"], path(json(path(json("index.json")["manifests"][0]))["config"]));
}

TEST_F(BuildTest, OfSeveralPlatformsItTakesTheShims) {
  Sample sample;
  auto entries = sample.oci();
  Json mine = sample.descriptor(sample.manifest(), "m"), other = mine, note = mine;
  mine["platform"] = {{"os", "linux"}, {"architecture", "amd64"}};
  other["platform"] = {{"os", "linux"}, {"architecture", "arm64"}};
  note["platform"] = {{"os", "unknown"}, {"architecture", "unknown"}};
  const std::string inner = Json{{"manifests", {other, note, mine}}}.dump();
  entries[1].second = Json{{"manifests", {sample.descriptor(inner, "i")}}}.dump();
  entries.emplace_back(blob(inner), inner);
  EXPECT_EQ(build(tarOf(entries)), 0) << err_;
  std::filesystem::remove(output());
  entries[1].second = Json{{"manifests", {other}}}.dump();
  EXPECT_THAT(refusal(tarOf(entries)), HasSubstr("it holds no image for linux/amd64: only linux/arm64"));
}

TEST_F(BuildTest, DamagedArchivesAreRefused) {
  const std::string whole = tarOf(Sample().oci());
  EXPECT_THAT(refusal(""), HasSubstr("neither an OCI image layout"));
  EXPECT_THAT(refusal("hello"), HasSubstr("cut off"));
  EXPECT_THAT(refusal("\x1f\x8b" + std::string(2048, 'x')), HasSubstr("gunzip"));
  EXPECT_THAT(refusal(std::string(2048, 'x')), HasSubstr("not a tar archive"));
  EXPECT_THAT(refusal(whole.substr(0, 1100)), HasSubstr("is cut off"));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() - 2048)), HasSubstr("is cut off"));
  std::string size = tarOf({{"index.json", "{}"}});
  // 8 GiB in octal, and the checksum that belongs to it
  size.replace(124, 11, "77777777777");
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(size[i]);
  std::ostringstream octal;
  octal << std::oct << sum;
  size.replace(148, 6, std::string(6 - octal.str().size(), '0') + octal.str());
  EXPECT_THAT(refusal(size), HasSubstr("its size is wrong"));
}

TEST_F(BuildTest, NoByteThatIsWrongMakesAnotherImage) {
  const std::string whole = tarOf(Sample().oci());
  const auto read = [&](const std::string& archive) -> std::optional<std::string> {
    auto tar = TarFile::open(folder_.write("flipped.tar", archive));
    if (!tar) return std::nullopt;
    const auto image = readImage(*tar, "amd64");
    return image ? std::optional(image->config.dump() + image->layers.at(0).digest) : std::nullopt;
  };
  const auto right = read(whole);
  ASSERT_TRUE(right);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    if (const auto image = read(flipped)) EXPECT_EQ(*image, *right) << "byte " << i;
  }
}

TEST_F(BuildTest, NamesThatLeadElsewhereAreRefused) {
  for (const char* name : {"/etc/passwd", "../x", "blobs/../../x"}) {
    EXPECT_THAT(refusal(tarOf({{name, "x"}})), HasSubstr(std::string("entry \"") + name + "\": a"));
  }
  EXPECT_THAT(refusal(tarOf({{"index.json", "{}"}, {"./index.json", "{}"}})), HasSubstr("is there twice"));
}

TEST_F(BuildTest, WrongDigestsAndSizesAreRefused) {
  auto entries = Sample().oci();
  entries[4].second[0] ^= 1;
  EXPECT_THAT(refusal(tarOf(entries)), HasSubstr("its digest is sha256:"));
  entries = Sample().oci();
  entries[4].second += '\0';
  EXPECT_THAT(refusal(tarOf(entries)), HasSubstr("not what its manifest says"));
  entries = Sample().oci();
  entries[3].second += ' ';
  EXPECT_THAT(refusal(tarOf(entries)), HasSubstr("its digest is sha256:"));
  entries.pop_back();
  entries[3] = Sample().oci()[3];
  EXPECT_THAT(refusal(tarOf(entries)), HasSubstr("there is no blobs/sha256/"));
  auto docker = Sample().docker();
  docker[2].second[0] ^= 1;
  EXPECT_THAT(refusal(tarOf(docker)), HasSubstr("1/layer.tar: its digest is"));
}

TEST_F(BuildTest, ImagesThatDoNotFitAreRefused) {
  Sample sample;
  sample.config["architecture"] = "arm64";
  EXPECT_THAT(refusal(tarOf(sample.oci())), HasSubstr("it is for linux/arm64, the shim for linux/amd64"));
  sample = Sample();
  sample.config["rootfs"]["diff_ids"].push_back("sha256:1");
  EXPECT_THAT(refusal(tarOf(sample.oci())), HasSubstr("its configuration tells of 2 layers, its manifest of 1"));
  sample = Sample();
  sample.layerType = "application/vnd.in-toto+json";
  EXPECT_THAT(refusal(tarOf(sample.oci())), HasSubstr("are not supported"));
  EXPECT_THAT(refusal(tarOf({{"index.json", std::string((4U << 20) + 1, ' ')}})), HasSubstr("at most 4194304 are read"));
  EXPECT_THAT(refusal(tarOf({{"index.json", "[1"}})), HasSubstr("index.json is not JSON"));
}

TEST(TarFile, ReadsLongNames) {
  const TempDir folder;
  const std::string name = std::string(120, 'a') + "/" + std::string(120, 'b');
  const std::string record = " path=" + name + "\n";
  std::string length = std::to_string(record.size() + 3);
  std::string archive = tarOf({{"h", length + record}, {"short", "content"}});
  // The first entry becomes a pax header: another type, and the checksum that belongs to it.
  const std::string before = archive.substr(148, 6);
  archive[156] = 'x';
  std::ostringstream sum;
  sum << std::oct << std::stoul(before, nullptr, 8) + ('x' - '0');
  archive.replace(148, 6, std::string(6 - sum.str().size(), '0') + sum.str());
  auto tar = TarFile::open(folder.write("a.tar", archive));
  ASSERT_TRUE(tar) << tar.error();
  EXPECT_EQ(tar->readAll(name, 100).value_or("-"), "content");
  EXPECT_EQ(tar->find("short"), nullptr);
}

TEST(ImageName, IsTheOneOfContainerRuntimes) {
  EXPECT_EQ(fullImageName("hello").value(), "docker.io/library/hello:latest");
  EXPECT_EQ(fullImageName("me/hello:1").value(), "docker.io/me/hello:1");
  EXPECT_EQ(fullImageName("localhost:5000/hello").value(), "localhost:5000/hello:latest");
  EXPECT_EQ(fullImageName("registry.example/a/b:v1").value(), "registry.example/a/b:v1");
  for (const char* wrong : {"", ":1", "a b:1", "a:1\n", "/a:1", "a/:1", "a:"}) EXPECT_FALSE(fullImageName(wrong)) << wrong;
}

}  // namespace
}  // namespace pilotlight::cli
