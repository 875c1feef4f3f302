// Each command of the CLI against a running instance.
#include <signal.h>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

using Cli = LocalTest;

constexpr const char* kTalker =
    "apiVersion: pilotlight.dev/v1alpha1\n"
    "kind: Function\n"
    "metadata: {name: talker}\n"
    "spec:\n"
    "  runtime: http\n"
    "  handler: [python3, talker.py]\n"
    "  scale: {initial: 0}\n";
constexpr const char* kTalkerServer =
    "import os, sys\n"
    "from http.server import BaseHTTPRequestHandler, HTTPServer\n"
    "class Talker(BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        print('said', self.path.split('?')[-1], flush=True)\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "    def log_message(self, *args): pass\n"
    "print('talker begins', file=sys.stderr, flush=True)\n"
    "HTTPServer(('', int(os.environ['PORT'])), Talker).serve_forever()\n";

TEST_F(Cli, InvokePrintsTheAnswer) {
  local.addExample("upper");
  ASSERT_NO_FATAL_FAILURE(startWith({"upper"}));
  const Outcome outcome = local.cli({"invoke", "upper", "-d", "some text"});
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  EXPECT_THAT(outcome.out, HasSubstr("SOME TEXT"));
}

TEST_F(Cli, InvokeOfAnUnknownFunctionFailsAndNamesIt) {
  ASSERT_NO_FATAL_FAILURE(start());
  const Outcome outcome = local.cli({"invoke", "nobody", "-d", "x"});
  EXPECT_NE(outcome.exit, 0);
  EXPECT_THAT(outcome.err, HasSubstr("nobody"));
}

TEST_F(Cli, LogsShowWhatTheHandlerWrote) {
  local.addFile("talker/function.yaml", kTalker);
  local.addFile("talker/talker.py", kTalkerServer);
  ASSERT_NO_FATAL_FAILURE(startWith({"talker"}));
  ASSERT_EQ(status(local.get("/talker?one")), 200);
  Outcome outcome;
  const auto bothLines = [&] {
    outcome = local.cli({"logs", "talker"});
    return outcome.out.find("said one") != std::string::npos && outcome.out.find("talker begins") != std::string::npos;
  };
  EXPECT_TRUE(waitUntil(bothLines, 5s)) << outcome.all();
}

TEST_F(Cli, LogsFollowWhatComesLater) {
  local.addFile("talker/function.yaml", kTalker);
  local.addFile("talker/talker.py", kTalkerServer);
  ASSERT_NO_FATAL_FAILURE(startWith({"talker"}));
  Subprocess follower(local.cliCommand({"logs", "talker", "-f"}));
  for (const std::string word : {"first", "second"}) {
    ASSERT_EQ(status(local.get("/talker?" + word)), 200);
    EXPECT_TRUE(waitUntil([&] { return follower.out().find("said " + word) != std::string::npos; }, 5s))
        << follower.out() << follower.err();
  }
  follower.signal(SIGINT);
  EXPECT_TRUE(follower.wait(5s));
}

TEST_F(Cli, ApplyMakesAndChangesAFunction) {
  local.addRecorder("base", "  scale: {initial: 0}\n");  // brings librecorder.so
  ASSERT_NO_FATAL_FAILURE(startWith({"base"}));
  const std::filesystem::path folder = local.scratch() / "mine";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(local.functions() / "base" / "librecorder.so", folder / "librecorder.so");

  writeFile(folder / "x.yaml", local.recorderYaml("mine", "  scale: {initial: 0}\n", "one"));
  const Outcome created = local.cli({"apply", "-f", "x.yaml"}, folder);
  EXPECT_EQ(created.exit, 0) << created.all();
  EXPECT_THAT(created.out, HasSubstr("mine"));
  ASSERT_TRUE(local.waitUntilReady("mine"));
  EXPECT_THAT(body(local.get("/mine")), HasSubstr(" one"));

  writeFile(folder / "x.yaml", local.recorderYaml("mine", "  scale: {initial: 0}\n", "two"));
  const Outcome changed = local.cli({"apply", "-f", "x.yaml"}, folder);
  EXPECT_EQ(changed.exit, 0) << changed.all();
  std::string answer;
  EXPECT_TRUE(waitUntil([&] { return (answer = body(local.get("/mine"))).ends_with(" two\n"); }, 15s)) << answer;
}

TEST_F(Cli, DeleteRemovesTheFunctionItsRouteAndItsProcesses) {
  local.addExample("hello");
  ASSERT_NO_FATAL_FAILURE(startWith({"hello"}));
  ASSERT_EQ(status(local.get("/hello")), 200);
  const Outcome outcome = local.cli({"delete", "fn/hello"});
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  EXPECT_THAT(outcome.out, HasSubstr("hello"));
  EXPECT_TRUE(waitUntil([&] { return status(local.get("/hello")) == 404; }, 10s));
  EXPECT_TRUE(waitUntil([&] { return local.shims("hello").empty(); }, 30s)) << describe(local.tree());
  EXPECT_EQ(local.function("hello"), nullptr);
}

TEST_F(Cli, ValidateTakesAGoodFileAndNamesTheFaultOfABadOne) {
  local.addFile("good.yaml", local.recorderYaml("good"));
  local.addFile("bad.yaml", local.recorderYaml("bad", "  scale:\n    min: -1\n"));
  const Outcome good = local.cli({"validate", "-f", "good.yaml"}, local.functions());
  EXPECT_EQ(good.exit, 0) << good.all();
  const Outcome bad = local.cli({"validate", "-f", "bad.yaml"}, local.functions());
  EXPECT_NE(bad.exit, 0);
  EXPECT_THAT(bad.out + bad.err, ContainsRegex("bad\\.yaml:[0-9]+: spec\\.scale\\.min: "));
}

TEST_F(Cli, InitCppMakesAFunctionThatBuildsAndRuns) {
  ASSERT_NO_FATAL_FAILURE(start());
  const Outcome init = local.cli({"init", "cpp", "my-fn"}, local.scratch());
  ASSERT_EQ(init.exit, 0) << init.all();
  const std::filesystem::path folder = local.scratch() / "my-fn";
  const Outcome make = run({{"make"}, {}, folder});
  ASSERT_EQ(make.exit, 0) << make.all();
  const Outcome apply = local.cli({"apply", "-f", "function.yaml"}, folder);
  ASSERT_EQ(apply.exit, 0) << apply.all();
  ASSERT_TRUE(local.waitUntilReady("my-fn")) << local.function("my-fn").dump(2);
  EXPECT_EQ(status(local.get("/my-fn")), 200) << body(local.get("/my-fn"));
}

TEST_F(Cli, InitPythonMakesAFunctionThatRuns) {
  ASSERT_NO_FATAL_FAILURE(start());
  const Outcome init = local.cli({"init", "python", "my-py"}, local.scratch());
  ASSERT_EQ(init.exit, 0) << init.all();
  const Outcome apply = local.cli({"apply", "-f", "function.yaml"}, local.scratch() / "my-py");
  ASSERT_EQ(apply.exit, 0) << apply.all();
  ASSERT_TRUE(local.waitUntilReady("my-py")) << local.function("my-py").dump(2);
  EXPECT_EQ(status(local.get("/my-py")), 200) << body(local.get("/my-py"));
}

TEST_F(Cli, WithoutARunningInstanceTheMessageSaysHowToStartOne) {
  const Outcome outcome = local.cli({"get", "functions"});
  EXPECT_NE(outcome.exit, 0);
  EXPECT_THAT(outcome.err, HasSubstr("pilotlight local"));
}

}  // namespace
}  // namespace pilotlight::test
