// Files of Secrets and ConfigMaps that are replaced under a running handler, as the kubelet does it.
#include <gtest/gtest.h>

#include <filesystem>

#include "shim_process.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::shim::test {
namespace {

namespace fs = std::filesystem;

/// A mounted Secret with one key.
class Mount {
 public:
  explicit Mount(const std::string& value) {
    write(value);
    fs::create_symlink("..data/key", folder_.path() / "key");
  }
  void write(const std::string& value) {
    const std::string set = "..set" + std::to_string(++sets_);
    pilotlight::test::writeFile(folder_.path() / set / "key", value);
    fs::create_symlink(set, folder_.path() / "..data_tmp");
    fs::rename(folder_.path() / "..data_tmp", folder_.path() / "..data");
  }
  std::map<std::string, std::string> env() const {
    return {{"PILOTLIGHT_WATCH", folder_.path().string()}, {"SECRET_FILE", (folder_.path() / "key").string()}};
  }

 private:
  pilotlight::test::TempDir folder_;
  int sets_ = 0;
};

TEST(SourceWatchTest, AServerGetsSighupForEverySetOfNewFiles) {
  Mount mount("one");
  Shim shim({"http", pythonHandler(), mount.env()});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/secret").body, "one");
  for (const char* value : {"two", "three"}) {
    mount.write(value);
    EXPECT_TRUE(eventually([&] { return shim.get("/secret").body == value; })) << shim.log();
  }
  EXPECT_EQ(shim.metric("handler_restarts_total"), 0);
}

TEST(SourceWatchTest, WithoutTheWishNothingIsTold) {
  Mount mount("one"), other("one");
  auto env = mount.env();
  env["PILOTLIGHT_WATCH"] = other.env()["PILOTLIGHT_WATCH"];
  Shim shim({"http", pythonHandler(), env});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  mount.write("two");
  other.write("two");  // after it: when this one is told, the first would have been
  ASSERT_TRUE(eventually([&] { return shim.log().find("files changed") != std::string::npos; }));
  EXPECT_EQ(shim.log().find(mount.env()["PILOTLIGHT_WATCH"]), std::string::npos) << shim.log();
}

TEST(SourceWatchTest, AServerThatIsStillStartingIsToldWhenItAnswers) {
  Mount mount("one");
  auto env = mount.env();
  env["PILOTLIGHT_READY_PATH"] = "/ready";  // which takes a while, after it has read the file
  Shim shim({"http", pythonHandler(), env});
  ASSERT_TRUE(eventually([&] { return shim.log().find("handler speaks") != std::string::npos; })) << shim.log();
  mount.write("two");
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_TRUE(eventually([&] { return shim.get("/secret").body == "two"; })) << shim.log();
}

TEST(SourceWatchTest, AServerThatIsNotPreparedYetIsNotEndedByTheSignal) {
  Mount mount("one");
  auto env = mount.env();
  env["START_DELAY"] = "0.5";  // before it knows of SIGHUP
  Shim shim({"http", pythonHandler(), env});
  ASSERT_TRUE(eventually([&] { return shim.get("/_pilotlight/healthz").status == 200 && !childrenOf(shim.pid()).empty(); }));
  mount.write("two");
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/secret").body, "two");
  EXPECT_EQ(shim.metric("handler_restarts_total"), 0) << shim.log();
}

TEST(SourceWatchTest, WhatTheServerStartedIsNotSignalled) {
  Mount mount("one");
  auto env = mount.env();
  env["CHILD"] = "1";
  Shim shim({"http", pythonHandler(), env});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  mount.write("two");
  ASSERT_TRUE(eventually([&] { return shim.get("/secret").body == "two"; })) << shim.log();
  EXPECT_EQ(shim.get("/child").body, "there");
}

TEST(SourceWatchTest, ANativeHandlersChangedHookRunsBesideRequests) {
  Mount mount("one");
  Shim shim({"native", {library("native.so"), "handle"}, mount.env()});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection waiting = shim.connect();
  ASSERT_TRUE(waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  for (const char* value : {"two", "three"}) {
    mount.write(value);
    EXPECT_TRUE(eventually([&] { return shim.get("/secret").body == value; })) << shim.log();
  }
  EXPECT_EQ(shim.get("/release").status, 200);
  EXPECT_EQ(waiting.receive().status, 200);
}

TEST(SourceWatchTest, AFolderThatIsNotThereIsLoggedAndTheRestServes) {
  Shim shim({"http", pythonHandler(), {{"PILOTLIGHT_WATCH", "/nowhere/at/all"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_NE(shim.log().find("/nowhere/at/all"), std::string::npos) << shim.log();
}

}  // namespace
}  // namespace pilotlight::shim::test
