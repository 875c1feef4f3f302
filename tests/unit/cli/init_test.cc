#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "cli/commands.h"
#include "cli/manifest_files.h"
#include "tests/unit/cli/temp_dir.h"

namespace pilotlight::cli {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome initIn(const std::filesystem::path& folder, const std::string& kind, const std::string& name) {
  std::istringstream in;
  std::ostringstream out, err;
  Context context{in, out, err};
  const int code = init(context, {kind, name, folder.string()});
  return {code, out.str(), err.str()};
}

class InitTest : public ::testing::TestWithParam<const char*> {};

TEST_P(InitTest, GivesAFolderThatBuildsAndIsValid) {
  const TempDir temp;
  const auto folder = temp / "my-fn";
  const auto outcome = initIn(folder, GetParam(), "my-fn");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // The tests' own compiler flags must not leak into a user's Makefile.
  const auto make = "env -u CXXFLAGS -u MAKEFLAGS make -s -C " + folder.string() + " >/dev/null";
  EXPECT_EQ(std::system(make.c_str()), 0);
  const auto file = readManifestFile(folder / "function.yaml", true, "default");
  EXPECT_TRUE(file.errors.empty()) << file.errors.front();
  ASSERT_EQ(file.objects.size(), 1U);
  EXPECT_FALSE(codeRevision(file.objects[0], folder).empty()) << "the command names a file of the folder";
  std::ifstream readme(folder / "README.md");
  const std::string text(std::istreambuf_iterator<char>(readme), {});
  EXPECT_NE(text.find("# my-fn"), std::string::npos);
  EXPECT_EQ(text.find("{{"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Kinds, InitTest, ::testing::Values("cpp", "python", "exec"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Init, RefusesAFolderWithSomethingInIt) {
  const TempDir temp;
  temp.write("my-fn/file", "precious");
  EXPECT_EQ(initIn(temp / "my-fn", "cpp", "my-fn").code, 1);
  EXPECT_FALSE(std::filesystem::exists(temp / "my-fn/function.yaml"));
}

TEST(Init, RefusesNamesThatNoFunctionCanHave) {
  const TempDir temp;
  for (const std::string& name : {"", "My", "-a", "a-", "1a", "a_b", "../up", "a/b", "a b"})
    EXPECT_EQ(initIn(temp / "x", "cpp", name).code, 1) << name;
  EXPECT_EQ(initIn(temp / "x", "cpp", std::string(53, 'a')).code, 1);
  EXPECT_FALSE(std::filesystem::exists(temp / "x"));
}

}  // namespace
}  // namespace pilotlight::cli
