// The README's session: each runtime, from zero, by HTTP and by the CLI.
#include <sstream>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

using MainJob = LocalTest;

TEST_F(MainJob, NativeFunctionAtZeroIsStartedAndAnswers) {
  local.addExample("hello");
  ASSERT_NO_FATAL_FAILURE(startWith({"hello"}));
  EXPECT_THAT(local.shims("hello"), IsEmpty());
  const HttpResult result = local.get("/hello?name=Ada");
  EXPECT_EQ(status(result), 200);
  EXPECT_EQ(body(result), "Hello, Ada!\n");
  EXPECT_THAT(local.shims("hello"), SizeIs(1));
}

TEST_F(MainJob, PlainPythonServerAtZeroIsStartedAndAnswers) {
  local.addExample("py-echo");
  ASSERT_NO_FATAL_FAILURE(startWith({"py-echo"}));
  const HttpResult result = local.request({.method = "POST", .target = "/py-echo", .body = R"({"a":2})"});
  EXPECT_EQ(status(result), 200);
  EXPECT_EQ(json::parse(body(result), nullptr, false), json({{"a", 2}}));
  EXPECT_EQ(status(local.request({.method = "POST", .target = "/py-echo", .body = "no JSON"})), 400);
}

TEST_F(MainJob, ProgramGetsTheBodyOnStdinAndItsStdoutIsTheAnswer) {
  local.addExample("upper");
  ASSERT_NO_FATAL_FAILURE(startWith({"upper"}));
  const HttpResult result = local.request({.method = "POST", .target = "/upper", .body = "text\n"});
  EXPECT_EQ(status(result), 200);
  EXPECT_EQ(body(result), "TEXT\n");
}

TEST_F(MainJob, LargeBodiesPassBothWays) {
  local.addExample("upper");
  ASSERT_NO_FATAL_FAILURE(startWith({"upper"}));
  const std::string text(5 << 20, 'x');
  const HttpResult result = local.request({.method = "POST", .target = "/upper", .body = text});
  EXPECT_EQ(status(result), 200);
  EXPECT_TRUE(body(result) == std::string(text.size(), 'X')) << body(result).size() << " bytes came back";
}

TEST_F(MainJob, UnknownFunctionIs404WithABodyThatSaysSo) {
  local.addExample("upper");
  ASSERT_NO_FATAL_FAILURE(start());
  const HttpResult result = local.get("/nothing-here");
  EXPECT_EQ(status(result), 404);
  EXPECT_TRUE(json::parse(body(result), nullptr, false).is_object()) << body(result);
}

TEST_F(MainJob, FunctionIsAlsoServedUnderItsHostName) {
  local.addExample("hello");
  ASSERT_NO_FATAL_FAILURE(startWith({"hello"}));
  EXPECT_EQ(body(local.request({.target = "/?name=Ada", .host = "hello.default.localhost"})), "Hello, Ada!\n");
}

TEST_F(MainJob, GetFunctionsPrintsATableLikeKubectl) {
  local.addExample("hello");
  local.addExample("upper");
  ASSERT_NO_FATAL_FAILURE(startWith({"hello", "upper"}));
  const Outcome outcome = local.cli({"get", "functions"});
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  EXPECT_THAT(outcome.out, ContainsRegex("^NAME +READY +REPLICAS +URL +AGE\n"));
  EXPECT_THAT(outcome.out, ContainsRegex("\nhello +True +0 +http://127\\.0\\.0\\.1:[0-9]+/hello +[0-9]+s\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nupper "));
}

TEST_F(MainJob, TheCurlLinesPrintedAtTheStartWork) {
  for (const char* example : {"hello", "py-echo", "upper", "greeter"}) local.addExample(example);
  ASSERT_NO_FATAL_FAILURE(startWith({"hello", "py-echo", "upper", "greeter"}));
  int lines = 0;
  std::istringstream output(local.output());
  for (std::string line; std::getline(output, line);) {
    const std::size_t curl = line.find("curl ");
    if (curl == std::string::npos) continue;
    ++lines;
    const Outcome outcome = run({{"sh", "-c", "curl --silent --show-error --fail " + line.substr(curl + 5)}, {}, "."});
    EXPECT_EQ(outcome.exit, 0) << line << "\n" << outcome.all();
    EXPECT_THAT(outcome.out, Not(IsEmpty())) << line;
  }
  EXPECT_EQ(lines, 4) << local.output();
}

}  // namespace
}  // namespace pilotlight::test
