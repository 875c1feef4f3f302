#include "callhome/key_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pilotlight::callhome {
namespace {

class KeyFilesTest : public testing::Test {
 protected:
  KeyFilesTest() : folder_(std::filesystem::temp_directory_path() / ("callhome-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~KeyFilesTest() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  std::filesystem::path folder_;
  const std::string first_ = std::string(40, 'a'), second_ = std::string(40, 'b');
};

TEST_F(KeyFilesTest, TheCurrentKeyComesFirstAndThePreviousOneIsOptional) {
  write("key", first_ + "\n");
  EXPECT_EQ(readKeys(folder_).value(), (std::vector<std::string>{first_}));
  write("previous", "");
  EXPECT_EQ(readKeys(folder_).value(), (std::vector<std::string>{first_}));
  write("previous", second_);
  EXPECT_EQ(readKeys(folder_).value(), (std::vector<std::string>{first_, second_}));
}

TEST_F(KeyFilesTest, ErrorsNameTheFileAndNotTheKey) {
  EXPECT_TRUE(readKeys(folder_).error().starts_with((folder_ / "key").string())) << readKeys(folder_).error();
  write("key", "short-secret");
  const std::string error = readKeys(folder_).error();
  EXPECT_NE(error.find("at least 32 bytes"), std::string::npos) << error;
  EXPECT_EQ(error.find("short-secret"), std::string::npos) << error;
  write("key", std::string(kMostKey + 1, 'x'));
  EXPECT_FALSE(readKeys(folder_));
  write("key", first_);
  write("previous", "short");
  EXPECT_TRUE(readKeys(folder_).error().starts_with((folder_ / "previous").string()));
}

TEST(RandomKey, IsLongEnoughAndAnotherOneEachTime) {
  EXPECT_EQ(randomKey().size(), kLeastKey);
  EXPECT_NE(randomKey(), randomKey());
}

}  // namespace
}  // namespace pilotlight::callhome
