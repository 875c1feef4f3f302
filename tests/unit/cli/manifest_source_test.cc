#include "cli/local/manifest_source.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "cli/manifest_files.h"
#include "tests/unit/cli/api_fixture.h"

namespace pilotlight::local {
namespace {

using kube::Json;
namespace res = kube::resources;

std::string functionYaml(const std::string& name, const std::string& more = "") {
  return "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: " + name +
         "}\nspec:\n  runtime: exec\n  handler: [sh, run.sh]\n" + more;
}
std::string mapYaml(const std::string& name) {
  return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {a: b}\n";
}

class ManifestSourceTest : public ::testing::Test {
 protected:
  ManifestSourceTest() : cluster_(kube::MemoryClusterOptions{.admit = cli::admitForTest, .now = {}}) {}

  void start(std::vector<std::filesystem::path> paths) {
    ManifestSourceOptions options;
    options.paths = std::move(paths);
    options.debounce = std::chrono::milliseconds(20);
    options.report = [this](const ManifestReport& report) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(report.text);
      changed_.notify_all();
    };
    source_.emplace(cluster_, std::move(options));
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error();
  }
  /// Waits until a report with this text came after the last one that was waited for.
  bool reported(const std::string& text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      for (std::size_t i = seen_; i < reports_.size(); ++i) {
        if (reports_[i].find(text) == std::string::npos) continue;
        seen_ = i + 1;
        return true;
      }
      return false;
    });
  }
  std::string reports() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& report : reports_) all += report + "\n";
    return all;
  }
  kube::Object function(const std::string& name) {
    const auto object = cluster_.get(res::functions, {"default", name});
    return object ? *object : kube::Object();
  }

  const cli::TempDir folder_;
  kube::MemoryCluster cluster_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> reports_;  // guarded by mutex_, as seen_
  std::size_t seen_ = 0;
  std::optional<ManifestSource> source_;
};

TEST_F(ManifestSourceTest, AppliesEverythingThatIsThere) {
  folder_.write("a/function.yaml", functionYaml("one") + mapYaml("settings"));
  folder_.write("b/deep/two.yml", functionYaml("two"));
  folder_.write(".hidden/three.yaml", functionYaml("three"));
  folder_.write("node_modules/x/four.yaml", functionYaml("four"));
  folder_.write("notes.txt", "not: [yaml");
  start({folder_.path()});
  ASSERT_TRUE(function("one"));
  EXPECT_EQ(function("one").annotation(api::kAnnotationWorkDir), (folder_ / "a").string());
  EXPECT_EQ(function("one").stringAt("/spec/image"), cli::kLocalImage);
  EXPECT_TRUE(function("two"));
  EXPECT_FALSE(function("three"));
  EXPECT_FALSE(function("four"));
  EXPECT_TRUE(cluster_.get(res::configMaps, {"default", "settings"}));
}

TEST_F(ManifestSourceTest, AnEditIsAppliedAgain) {
  folder_.write("one.yaml", functionYaml("one"));
  start({folder_.path()});
  folder_.write("one.yaml", functionYaml("one", "  timeout: 5s\n"));
  ASSERT_TRUE(reported("one configured")) << reports();
  EXPECT_EQ(function("one").stringAt("/spec/timeout"), "5s");
}

TEST_F(ManifestSourceTest, WhatLeavesItsFileIsDeletedAndWhatIsAddedComes) {
  const auto file = folder_.write("all.yaml", functionYaml("one") + mapYaml("settings"));
  start({file});
  folder_.write("all.yaml", functionYaml("one"));
  ASSERT_TRUE(reported("configmap/settings deleted")) << reports();
  folder_.write("all.yaml", functionYaml("one") + "---\n" + functionYaml("two"));
  ASSERT_TRUE(reported("two created")) << reports();
  std::filesystem::remove(file);
  ASSERT_TRUE(reported("one deleted")) << reports();
  ASSERT_TRUE(reported("two deleted")) << reports();
  EXPECT_FALSE(function("one"));
}

TEST_F(ManifestSourceTest, AFolderMadeLaterIsWatchedToo) {
  start({folder_.path()});
  folder_.write("new/sub/one.yaml", functionYaml("one"));
  ASSERT_TRUE(reported("one created")) << reports();
  folder_.write("new/sub/one.yaml", functionYaml("one", "  timeout: 7s\n"));
  ASSERT_TRUE(reported("one configured")) << reports();
}

TEST_F(ManifestSourceTest, AFileThatBecomesWrongLeavesWhatRunsAlone) {
  folder_.write("one.yaml", functionYaml("one") + mapYaml("settings"));
  start({folder_.path()});
  folder_.write("one.yaml", functionYaml("one", "  timeout: 9s\n  scale: {min: -1}\n"));
  ASSERT_TRUE(reported("one.yaml:8: spec.scale.min: ")) << reports();
  ASSERT_TRUE(reported("keeps running")) << reports();
  EXPECT_EQ(function("one").stringAt("/spec/timeout"), "30s");
  EXPECT_TRUE(cluster_.get(res::configMaps, {"default", "settings"}));
  folder_.write("one.yaml", functionYaml("one", "  timeout: 9s\n"));
  ASSERT_TRUE(reported("one configured")) << reports();
}

TEST_F(ManifestSourceTest, NothingOfAWrongFileIsAppliedTheOthersAre) {
  folder_.write("bad.yaml", functionYaml("bad") + "---\n" + functionYaml("worse", "  nonsense: 1\n"));
  folder_.write("good.yaml", functionYaml("good"));
  start({folder_.path()});
  EXPECT_TRUE(function("good"));
  EXPECT_FALSE(function("bad"));
  EXPECT_TRUE(reported("spec.nonsense")) << reports();
}

TEST_F(ManifestSourceTest, ARebuiltHandlerHasANewCodeRevision) {
  folder_.write("one.yaml", functionYaml("one"));
  start({folder_.path()});
  EXPECT_EQ(function("one").annotation(api::kAnnotationCodeRevision), "");  // not built yet
  folder_.write("run.sh", "cat");
  ASSERT_TRUE(reported("one configured")) << reports();
  const auto first = function("one").annotation(api::kAnnotationCodeRevision);
  EXPECT_NE(first, "");
  folder_.write("run.sh", "tac");
  ASSERT_TRUE(reported("one configured")) << reports();
  EXPECT_NE(function("one").annotation(api::kAnnotationCodeRevision), first);
}

TEST_F(ManifestSourceTest, TwoFilesWithTheSameObjectAreToldAndTheFirstCounts) {
  folder_.write("a.yaml", functionYaml("one", "  timeout: 1s\n"));
  folder_.write("b.yaml", functionYaml("one", "  timeout: 2s\n"));
  start({folder_.path()});
  EXPECT_TRUE(reported("b.yaml: function.pilotlight.dev/one is already in")) << reports();
  EXPECT_EQ(function("one").stringAt("/spec/timeout"), "1s");
  std::filesystem::remove(folder_ / "a.yaml");
  ASSERT_TRUE(reported("one configured")) << reports();
  EXPECT_EQ(function("one").stringAt("/spec/timeout"), "2s");
}

TEST_F(ManifestSourceTest, AnEditKeepsAScaleThatTheFileDoesNotSet) {
  folder_.write("one.yaml", functionYaml("one"));
  start({folder_.path()});
  ASSERT_TRUE(cluster_.patchScale(res::functions, {"default", "one"}, 3, "", "cli"));
  folder_.write("one.yaml", functionYaml("one", "  timeout: 5s\n"));
  ASSERT_TRUE(reported("one configured")) << reports();
  EXPECT_EQ(function("one").intAt("/spec/replicas"), 3);
}

TEST_F(ManifestSourceTest, APathThatDoesNotExistIsAnError) {
  ManifestSource source(cluster_, {.paths = {folder_ / "nope"}, .report = {}});
  const auto started = source.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("nope"), std::string::npos);
}

}  // namespace
}  // namespace pilotlight::local
