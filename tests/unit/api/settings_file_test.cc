#include "api/settings_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilotlight::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Inner {
  std::chrono::milliseconds wait{1000};
  std::size_t buffer = 65536;
};
struct Sample {
  Inner inner;
  int count = 7;
  bool on = true;
  std::optional<std::uint64_t> most;
  auto operator<=>(const Sample&) const = delete;
};

constexpr Setting kRows[] = {
    durationRow<&Sample::inner, &Inner::wait>("wait", "For something.", 10ms, 1min),
    bytesRow<&Sample::inner, &Inner::buffer>("bufferBytes", "Of something.", 1024, 1 << 20),
    countRow<&Sample::count>("count", "Of things.", 1, 100),
    flagRow<&Sample::on>("on", "Whether."),
    bytesRow<&Sample::most>("most", "Of all.", 0, 1 << 30),
};
const void* defaults() {
  static const Sample sample;
  return &sample;
}
constexpr SettingsTable kTable{"sample", "Of a test.", kRows, defaults};

std::expected<Sample, std::string> read(std::string_view yaml) {
  Sample sample;
  const SettingsTarget targets[] = {{kTable, &sample}};
  if (auto done = readSettings(yaml, targets); !done) return std::unexpected(done.error());
  return sample;
}

TEST(SettingsFile, GivesEachKindToItsFieldAndLeavesTheRest) {
  const auto sample = read("sample:\n  wait: 1m\n  bufferBytes: 4Ki\n  count: 100\n  on: false\n  most: 1073741824\n");
  ASSERT_TRUE(sample) << sample.error();
  EXPECT_EQ(sample->inner.wait, 1min);
  EXPECT_EQ(sample->inner.buffer, 4096U);
  EXPECT_EQ(sample->count, 100);
  EXPECT_FALSE(sample->on);
  EXPECT_EQ(sample->most, 1U << 30);
  const auto little = read("sample: {count: 1}");
  ASSERT_TRUE(little) << little.error();
  EXPECT_EQ(little->inner.wait, 1000ms);
  EXPECT_FALSE(little->most);
}

TEST(SettingsFile, MayBeEmptyAsAWholeOrInASection) {
  for (const char* yaml : {"", "---\n", "# nothing\n", "sample:\n", "sample: {}\n"}) {
    const auto sample = read(yaml);
    ASSERT_TRUE(sample) << yaml << ": " << sample.error();
    EXPECT_EQ(sample->count, 7);
  }
}

struct Wrong {
  const char *yaml, *error;
};

TEST(SettingsFile, RefusesWhatIsWrongByItsNameAndLine) {
  for (const auto& [yaml, error] : {
           Wrong{"other: {}", "line 1: other: unknown field"},
           Wrong{"smaple:\n  count: 3", "did you mean 'sample'"},
           Wrong{"sample:\n  count: 3\n  cuont: 3", "line 3: sample.cuont: unknown field; did you mean 'count'"},
           Wrong{"sample: 3", "line 1: sample: must be a map"},
           Wrong{"- sample", "must be a map of sections"},
           Wrong{"sample: {count: 1}\n---\nsample: {}", "one YAML document"},
           Wrong{"sample: {count: 1, count: 2}", "count"},
           Wrong{"sample: {count: [1]}", "sample.count: must be a whole number"},
           Wrong{"sample: {count: 1.5}", "sample.count: must be a whole number"},
           Wrong{"sample: {count: '1'}", "sample.count: must be a whole number"},
           Wrong{"sample: {count: }", "sample.count: must be a whole number"},
           Wrong{"sample: {count: 0}", "sample.count: must be from 1 to 100, not 0"},
           Wrong{"sample: {count: 101}", "sample.count: must be from 1 to 100, not 101"},
           Wrong{"sample: {count: 18446744073709551615}", "must be from 1 to 100, not 18446744073709551615"},
           Wrong{"sample: {wait: 100}", "sample.wait: must be a duration such as"},
           Wrong{"sample: {wait: soon}", "sample.wait: must be a duration such as"},
           Wrong{"sample: {wait: 9ms}", "sample.wait: must be from 10ms to 1m, not 9ms"},
           Wrong{"sample: {bufferBytes: 1s}", "sample.bufferBytes: must be a quantity of bytes"},
           Wrong{"sample: {bufferBytes: 2Mi}", "sample.bufferBytes: must be from 1Ki to 1Mi, not 2Mi"},
           Wrong{"sample: {most: -1}", "sample.most: must be from 0 to 1Gi, not -1"},
           Wrong{"sample: {on: 1}", "sample.on: must be true or false"},
           Wrong{"sample: {on: yes}", "sample.on: must be true or false"},
           Wrong{"sample: {", "line 1"},
       }) {
    const auto sample = read(yaml);
    ASSERT_FALSE(sample) << yaml;
    EXPECT_THAT(sample.error(), HasSubstr(error)) << yaml;
  }
}

TEST(SettingsFile, TellsEverythingThatIsWrong) {
  const auto sample = read("sample:\n  count: 0\n  wait: 1\nrest: 1\n");
  ASSERT_FALSE(sample);
  for (const char* name : {"line 2: sample.count", "line 3: sample.wait", "line 4: rest"}) EXPECT_THAT(sample.error(), HasSubstr(name));
}

TEST(SettingsEnvironment, HoldsWhatIsNotAtItsDefaultAsPlainNumbers) {
  Sample sample;
  EXPECT_TRUE(settingsEnvironment(kTable, &sample).empty());
  sample.inner = {250ms, 8192};
  const std::vector<std::pair<std::string, std::string>> expected = {{"PILOTLIGHT_WAIT_MS", "250"}, {"PILOTLIGHT_BUFFER_BYTES", "8192"}};
  EXPECT_EQ(settingsEnvironment(kTable, &sample), expected);
}

TEST(SettingsReference, HasALinePerSetting) {
  const SettingsTable* tables[] = {&kTable};
  const std::string text = settingsReference(tables);
  EXPECT_THAT(text, HasSubstr("\n## sample\nOf a test.\n"));
  EXPECT_THAT(text, HasSubstr("| `wait` | `1s` | 10ms to 1m | For something. |\n"));
  EXPECT_THAT(text, HasSubstr("| `bufferBytes` | `64Ki` | 1Ki to 1Mi | Of something. |\n"));
  EXPECT_THAT(text, HasSubstr("| `on` | `true` |  | Whether. |\n"));
  EXPECT_THAT(text, HasSubstr("| `most` |  | 0 to 1Gi | Of all. |\n"));
}

}  // namespace
}  // namespace pilotlight::api
