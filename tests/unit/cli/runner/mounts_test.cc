#include "cli/local/mounts.h"

#include <sys/stat.h>

#include <atomic>

#include "harness.h"
#include "kube/base64.h"

namespace pilotlight::local {
namespace {

namespace fs = std::filesystem;
using testing::readFile;

class MountsTest : public ::testing::Test {
 protected:
  static mode_t modeOf(const fs::path& path) {
    struct stat info{};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  testing::TempDir dir_;
  const fs::path folder_ = dir_.path / "root/etc/db";
};

TEST_F(MountsTest, LaysOutKeysAsFilesTheKubeletsWay) {
  ASSERT_EQ(writeMount(folder_, {{"user", "ada"}, {"password", std::string("p\0w", 3)}}, kSecretMode), true);
  EXPECT_EQ(readFile(folder_ / "user"), "ada");
  EXPECT_EQ(readFile(folder_ / "password"), std::string("p\0w", 3));
  EXPECT_EQ(modeOf(folder_ / "user"), kSecretMode);
  EXPECT_EQ(modeOf(folder_), 0700U);
  EXPECT_EQ(modeOf(dir_.path / "root"), 0700U);
  EXPECT_EQ(fs::read_symlink(folder_ / "user"), "..data/user");
  EXPECT_TRUE(fs::read_symlink(folder_ / "..data").string().starts_with("..2"));
  EXPECT_EQ(modeOf(folder_ / fs::read_symlink(folder_ / "..data")), 0700U);
}

TEST_F(MountsTest, ConfigIsReadableByAll) {
  const mode_t before = umask(0077);
  ASSERT_TRUE(writeMount(folder_, {{"a", "1"}}, kConfigMode));
  umask(before);
  EXPECT_EQ(modeOf(folder_ / "a"), kConfigMode);
}

TEST_F(MountsTest, WritesNothingWhenNothingChanged) {
  ASSERT_TRUE(writeMount(folder_, {{"a", "1"}}, kSecretMode));
  const fs::path set = fs::read_symlink(folder_ / "..data");
  EXPECT_EQ(writeMount(folder_, {{"a", "1"}}, kSecretMode), false);
  EXPECT_EQ(fs::read_symlink(folder_ / "..data"), set);
}

TEST_F(MountsTest, AChangeReplacesAddsAndRemovesKeysAndLeavesNoOldSet) {
  ASSERT_TRUE(writeMount(folder_, {{"a", "1"}, {"b", "1"}}, kSecretMode));
  ASSERT_EQ(writeMount(folder_, {{"a", "2"}, {"c", "2"}}, kSecretMode), true);
  EXPECT_EQ(readFile(folder_ / "a"), "2");
  EXPECT_EQ(readFile(folder_ / "c"), "2");
  EXPECT_FALSE(fs::is_symlink(fs::symlink_status(folder_ / "b")));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 4);  // a, c, ..data and its set
}

TEST_F(MountsTest, AReaderNeverSeesAMissingOrHalfFile) {
  const std::string one(100000, '1'), two(100000, '2');
  ASSERT_TRUE(writeMount(folder_, {{"a", one}}, kSecretMode));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(writeMount(folder_, {{"a", i % 2 ? one : two}}, kSecretMode), true);
    done = true;
  });
  int reads = 0;
  while (!done) {
    std::ifstream file(folder_ / "a", std::ios::binary);
    // Between the lookup of ..data and that of the file the set may go, as with the kubelet: then one opens it again.
    if (!file.is_open()) continue;
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    ASSERT_TRUE(content == one || content == two) << content.size();
    ++reads;
  }
  writer.join();
  EXPECT_GT(reads, 0);
}

TEST_F(MountsTest, HealsAHalfWrittenSwap) {
  ASSERT_TRUE(writeMount(folder_, {{"a", "1"}}, kSecretMode));
  fs::create_symlink("..gone", folder_ / "..data_tmp");
  fs::create_directory(folder_ / "..2000_left");
  ASSERT_EQ(writeMount(folder_, {{"a", "2"}}, kSecretMode), true);
  EXPECT_EQ(readFile(folder_ / "a"), "2");
  EXPECT_FALSE(fs::exists(folder_ / "..2000_left"));
}

TEST_F(MountsTest, RefusesKeysThatAreNoFileNames) {
  for (const char* key : {"", ".", "..", "..data", "a/b", "../x", "a b", "ä"}) {
    EXPECT_FALSE(validKey(key)) << key;
    EXPECT_FALSE(writeMount(folder_, {{key, "x"}}, kSecretMode)) << key;
  }
  EXPECT_FALSE(validKey(std::string(254, 'a')));
  for (const char* key : {"a", "tls.crt", ".hidden", "A_b-1"}) EXPECT_TRUE(validKey(key)) << key;
}

TEST_F(MountsTest, MountPathsStayInsideTheRoot) {
  EXPECT_EQ(mountFolder("/r", "/etc/db"), fs::path("/r/etc/db"));
  EXPECT_EQ(mountFolder("/r", "/etc//db/./"), fs::path("/r/etc/db"));
  for (const char* path : {"", "etc", "/", "/.", "/../etc", "/etc/../../x", "/etc/..data"}) EXPECT_FALSE(mountFolder("/r", path)) << path;
}

TEST_F(MountsTest, RemovingATreeDoesNotFollowLinks) {
  fs::create_directories(dir_.path / "keep");
  std::ofstream(dir_.path / "keep/file") << "x";
  fs::create_directories(dir_.path / "tree");
  fs::create_directory_symlink(dir_.path / "keep", dir_.path / "tree/link");
  removeTree(dir_.path / "tree");
  EXPECT_FALSE(fs::exists(dir_.path / "tree"));
  EXPECT_TRUE(fs::exists(dir_.path / "keep/file"));
}

TEST(Base64, DecodesWhatIsBase64) {
  EXPECT_EQ(kube::decodeBase64(""), "");
  EXPECT_EQ(kube::decodeBase64("cGFzcw=="), "pass");
  EXPECT_EQ(kube::decodeBase64("cGFz\nc3M="), "passs");
  EXPECT_EQ(kube::decodeBase64("/+8="), "\xff\xef");
  for (const char* text : {"a", "ab", "abc", "a===", "ab=c", "a-b_", "===="}) EXPECT_FALSE(kube::decodeBase64(text)) << text;
}

}  // namespace
}  // namespace pilotlight::local
