// `logs` of a cluster's pods: the fixture's API server keeps the lines, and its kubeconfig has a context that is not local mode's.
#include <functional>
#include <sstream>
#include <streambuf>

#include "cli/app.h"
#include "cli/log_run.h"
#include "tests/unit/cli/api_fixture.h"

namespace pilotlight::cli {
namespace {

/// Takes lines, tells of each, and is closed after the last one wanted: how a follower ends.
class Reader final : public std::streambuf {
 public:
  Reader(std::size_t wanted, std::function<void(std::size_t)> onLine) : wanted_(wanted), onLine_(std::move(onLine)) {}
  const std::string& text() const { return text_; }

 private:
  int_type overflow(int_type c) override {
    const char byte = traits_type::to_char_type(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    for (std::streamsize i = 0; i < count; ++i) {
      text_ += data[i];
      if (data[i] == '\n') onLine_(++lines_);
    }
    return count;
  }
  int sync() override { return lines_ >= wanted_ ? -1 : 0; }

  const std::size_t wanted_;
  const std::function<void(std::size_t)> onLine_;
  std::size_t lines_ = 0;
  std::string text_;
};

class PodLogsTest : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    kubeconfig_ = state_.write("cluster", writeKubeconfig({url_, token_, "cluster", "default"})).string();
    ASSERT_TRUE(cluster_.apply(kube::resources::functions, functionObject("hello"), {"test"}));
  }
  int run(std::streambuf& output, std::vector<std::string> arguments) {
    std::istringstream in;
    std::ostream out(&output);
    err_.str("");
    Context context{in, out, err_};
    context.environment = [](const char*) { return std::string(); };
    arguments.insert(arguments.begin(), {"--kubeconfig", kubeconfig_, "logs"});
    return cli::run(context, arguments, [](Context&, const LocalOptions&) { return 7; });
  }
  std::string print(std::vector<std::string> arguments, int code = 0) {
    std::stringbuf out;
    EXPECT_EQ(run(out, std::move(arguments)), code) << err_.str();
    return out.str();
  }
  void startPod(const std::string& name, int version = 1) {
    kube::Json pod = {{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata",
                       {{"name", name},
                        {"namespace", "default"},
                        {"labels", {{api::kLabelFunction, "hello"}, {api::kLabelVersion, std::to_string(version)}}}}},
                      {"spec", {{"containers", {{{"name", "function"}, {"image", "x"}}}}}}};
    ASSERT_TRUE(cluster_.create(kube::resources::pods, pod, "test"));
    ASSERT_TRUE(cluster_.mergePatch(
        kube::resources::pods, {"default", name},
        {{"status",
          {{"containerStatuses", {{{"name", "function"}, {"restartCount", 0}, {"state", {{"running", {{"startedAt", "x"}}}}}}}}}}},
        "test", "status"));
  }
  void write(const std::string& pod, const std::string& line) { logs_.append({"default", "hello"}, pod, false, line); }

  std::string kubeconfig_;
  std::ostringstream err_;
};

TEST_F(PodLogsTest, OnePodIsPrintedAsItIsAndSeveralWithTheirNames) {
  EXPECT_EQ(print({"hello"}), "");
  EXPECT_EQ(err_.str(), "function \"hello\" has no pods now\n");
  startPod("hello-a");
  write("hello-a", "one");
  write("hello-a", "two");
  EXPECT_EQ(print({"hello"}), "one\ntwo\n");
  EXPECT_EQ(print({"fn/hello", "--tail", "1"}), "two\n");
  startPod("hello-b", 2);
  write("hello-b", "three");
  EXPECT_EQ(print({"hello"}), "[hello-a] one\n[hello-a] two\n[hello-b] three\n");
  EXPECT_EQ(print({"hello", "--no-prefix"}), "one\ntwo\nthree\n");
  EXPECT_EQ(print({"hello", "--version", "2"}), "three\n");
}

TEST_F(PodLogsTest, AFunctionThatIsNotThereIsToldAsKubectlDoes) {
  EXPECT_EQ(print({"nope"}, 1), "");
  EXPECT_EQ(err_.str(), "Error from server (NotFound): functions.pilotlight.dev \"nope\" not found\n");
}

TEST_F(PodLogsTest, FollowingTakesUpNewLinesAndNewPods) {
  startPod("hello-a");
  write("hello-a", "old");
  write("hello-a", "one");
  Reader reader(3, [&](std::size_t lines) {
    if (lines == 1) write("hello-a", "two");
    if (lines == 2) {  // of a new pod every line is wanted, whatever --tail says of the old ones
      write("hello-b", "three");
      write("hello-b", "four");
      startPod("hello-b");
    }
  });
  EXPECT_EQ(run(reader, {"hello", "-f", "--tail", "1"}), 0) << err_.str();
  EXPECT_EQ(reader.text(), "[hello-a] one\n[hello-a] two\n[hello-b] three\n[hello-b] four\n");
}

TEST(LogRun, IsToldByPodAndRestart) {
  const auto pod = [](const char* uid, int restarts, const char* state) {
    return kube::Object(
        {{"metadata", {{"name", "p"}, {"uid", uid}}},
         {"status",
          {{"containerStatuses", {{{"name", "function"}, {"restartCount", restarts}, {"state", {{state, kube::Json::object()}}}}}}}}});
  };
  EXPECT_FALSE(runOf(pod("1", 0, "waiting")));
  const auto run = runOf(pod("1", 0, "running"));
  ASSERT_TRUE(run);
  EXPECT_TRUE(stillRuns(pod("1", 0, "running"), *run));
  EXPECT_FALSE(stillRuns(pod("1", 0, "terminated"), *run));
  EXPECT_FALSE(stillRuns(pod("1", 1, "running"), *run));
  EXPECT_FALSE(stillRuns(pod("2", 0, "running"), *run));
}

}  // namespace
}  // namespace pilotlight::cli
