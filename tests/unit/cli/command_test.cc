#include <sstream>

#include "cli/app.h"
#include "tests/unit/cli/api_fixture.h"

namespace pilotlight::cli {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

/// The whole command line, as main() calls it, against the fixture's API.
class CommandTest : public ApiFixture {
 protected:
  Outcome run(std::vector<std::string> arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out, err;
    Context context{in, out, err};
    context.environment = [](const char*) { return std::string(); };
    arguments.push_back("--state-dir=" + state_.path().string());
    const int code = cli::run(context, arguments, [](Context&, const LocalOptions&) { return 7; });
    return {code, out.str(), err.str()};
  }
  void create(const std::string& name) { ASSERT_TRUE(cluster_.apply(kube::resources::functions, functionObject(name), {"test"})); }
  void setStatus(const std::string& name, const kube::Json& status) {
    auto object = functionObject(name);
    object.erase("spec");
    object["status"] = status;
    ASSERT_TRUE(cluster_.applyStatus(kube::resources::functions, object, {"test"}));
  }
  static constexpr const char* kYaml = R"(
apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata: {name: hello}
spec:
  runtime: exec
  handler: [cat]
)";
};

TEST_F(CommandTest, GetPrintsKubectlsTable) {
  create("hello");
  setStatus("hello", {{"url", "http://127.0.0.1:8080/hello"}, {"replicas", 1}});
  const auto outcome = run({"get", "functions"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.substr(0, outcome.out.find('\n')), "NAME    READY     REPLICAS   URL                           AGE");
  EXPECT_NE(outcome.out.find("hello   Unknown   1          http://127.0.0.1:8080/hello   0s"), std::string::npos) << outcome.out;
  EXPECT_EQ(run({"get", "fn", "hello", "-o", "name"}).out, "function.pilotlight.dev/hello\n");
  EXPECT_NE(run({"get", "fn/hello", "-o", "yaml"}).out.find("kind: Function\n"), std::string::npos);
  EXPECT_EQ(kube::Json::parse(run({"get", "fn", "-A", "-o", "json"}).out)["items"].size(), 1U);
}

TEST_F(CommandTest, GetOfNothingSaysSo) {
  const auto none = run({"get", "fn", "-n", "shop"});
  EXPECT_EQ(none.code, 0);
  EXPECT_EQ(none.err, "No resources found in shop namespace.\n");
  const auto missing = run({"get", "fn", "nope"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "Error from server (NotFound): functions.pilotlight.dev \"nope\" not found\n");
}

TEST_F(CommandTest, ApplyCreatesThenChangesNothingThenConfigures) {
  const TempDir folder;
  const auto file = folder.write("hello.yaml", kYaml).string();
  EXPECT_EQ(run({"apply", "-f", file}).out, "function.pilotlight.dev/hello created\n");
  EXPECT_EQ(run({"apply", "-f", file}).out, "function.pilotlight.dev/hello unchanged\n");
  folder.write("hello.yaml", std::string(kYaml) + "  timeout: 5s\n");
  EXPECT_EQ(run({"apply", "-f", file}).out, "function.pilotlight.dev/hello configured\n");
  const auto stored = cluster_.get(kube::resources::functions, {"default", "hello"});
  EXPECT_EQ(stored->annotation(api::kAnnotationWorkDir), folder.path().string());
  EXPECT_EQ(run({"delete", "-f", file}).out, "function.pilotlight.dev \"hello\" deleted\n");
  EXPECT_EQ(run({"delete", "fn/hello"}).code, 1);
  EXPECT_EQ(run({"delete", "fn/hello", "--ignore-not-found"}).code, 0);
}

TEST_F(CommandTest, ApplyReadsStdin) {
  EXPECT_EQ(run({"apply", "-f", "-"}, kYaml).out, "function.pilotlight.dev/hello created\n");
}

TEST_F(CommandTest, AWrongFileIsRefusedAndTheOthersAreApplied) {
  const TempDir folder;
  folder.write("good.yaml", kYaml);
  folder.write("wrong.yaml",
               "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: wrong}\nspec:\n  runtime: exec\n  handler: [cat]\n  "
               "scale:\n    min: -1\n");
  const auto outcome = run({"apply", "-f", folder.path().string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "function.pilotlight.dev/hello created\n");
  EXPECT_NE(outcome.err.find("wrong.yaml:8: spec.scale.min: "), std::string::npos) << outcome.err;
  const auto checked = run({"validate", "-f", folder.path().string()});
  EXPECT_EQ(checked.code, 1);
  EXPECT_EQ(checked.out, "function.pilotlight.dev/hello is valid\n");
}

TEST_F(CommandTest, DeleteWaitsUntilTheObjectIsGone) {
  auto object = functionObject("hello");
  object["metadata"]["finalizers"] = {"example.com/held"};
  ASSERT_TRUE(cluster_.apply(kube::resources::functions, object, {"test"}));
  const auto waited = run({"delete", "fn/hello", "--timeout", "1ms"});
  EXPECT_EQ(waited.code, 1);
  EXPECT_EQ(waited.out, "function.pilotlight.dev \"hello\" deleted\n");
  EXPECT_EQ(waited.err, "error: timed out waiting for the condition on functions/hello\n");
  EXPECT_EQ(run({"delete", "fn/hello", "--wait=false"}).code, 0);
}

TEST_F(CommandTest, ScaleWritesReplicas) {
  create("hello");
  EXPECT_EQ(run({"scale", "fn/hello", "--replicas", "3"}).out, "function.pilotlight.dev/hello scaled\n");
  EXPECT_EQ(cluster_.get(kube::resources::functions, {"default", "hello"})->intAt("/spec/replicas"), 3);
  EXPECT_EQ(run({"scale", "fn", "hello", "--replicas", "-1"}).code, 0);
  EXPECT_EQ(cluster_.get(kube::resources::functions, {"default", "hello"})->at("/spec/replicas"), nullptr);
}

TEST_F(CommandTest, DescribeShowsConditionsAndEvents) {
  create("hello");
  setStatus("hello",
            {{"conditions", {{{"type", "Ready"}, {"status", "False"}, {"reason", "HandlerMissing"}, {"message", "no such file"}}}}});
  ASSERT_TRUE(cluster_.create(kube::resources::events,
                              {{"apiVersion", "v1"},
                               {"kind", "Event"},
                               {"metadata", {{"name", "e"}, {"namespace", "default"}}},
                               {"type", "Warning"},
                               {"reason", "Failed"},
                               {"message", "it broke"},
                               {"involvedObject", {{"kind", "Function"}, {"name", "hello"}}}},
                              "test"));
  const auto outcome = run({"describe", "fn", "hello"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* text : {"HandlerMissing", "no such file", "it broke", "Name:         hello"})
    EXPECT_NE(outcome.out.find(text), std::string::npos) << text;
}

TEST_F(CommandTest, DeployAppliesAndWaits) {
  const auto late = run({"deploy", "-f", "-", "--timeout", "1ms"}, kYaml);
  EXPECT_EQ(late.code, kNotReadyCode);
  EXPECT_NE(late.err.find("\"hello\" is not ready after 1ms: the operator has not taken it up yet"), std::string::npos) << late.err;
  setStatus("hello", {{"observedGeneration", 1},
                      {"url", "http://hello.example"},
                      {"versions", {{"stable", 1}, {"latest", 1}}},
                      {"conditions", {{{"type", "Ready"}, {"status", "True"}, {"reason", "Ready"}}}}});
  const auto ready = run({"deploy", "-f", "-"}, kYaml);
  EXPECT_EQ(ready.code, 0) << ready.err;
  EXPECT_EQ(ready.out, "function.pilotlight.dev/hello unchanged\nfunction \"hello\" is ready: http://hello.example\n");
}

TEST(DeployProgress, IsWhatTheOperatorSaysOfThisGeneration) {
  const auto progress = [](int observed, int stable, const std::string& ready, const std::string& reason, const std::string& step) {
    const kube::Json conditions = {{{"type", "Ready"}, {"status", ready}, {"reason", reason}, {"message", "r"}},
                                   {{"type", "Progressing"}, {"status", step}, {"reason", "P"}, {"message", "p"}}};
    const kube::Json status = {
        {"observedGeneration", observed}, {"versions", {{"stable", stable}, {"latest", 2}}}, {"conditions", conditions}};
    return progressOf(kube::Object(kube::Json{{"status", status}}), 3);
  };
  using State = Progress::State;
  EXPECT_EQ(progress(2, 2, "True", "Ready", "True").state, State::waiting);  // of the generation before
  EXPECT_EQ(progress(3, 2, "True", "Ready", "True").state, State::ready);
  EXPECT_EQ(progress(3, 1, "True", "Ready", "True").state, State::waiting);  // the version before serves still
  EXPECT_EQ(progress(3, 1, "True", "Ready", "True").text, "P: p");
  EXPECT_EQ(progress(3, 2, "False", "WaitingForGateways", "True").text, "WaitingForGateways: r");
  EXPECT_EQ(progress(3, 2, "False", "Scaling", "False").text, "P: p");
  EXPECT_EQ(progress(3, 2, "False", "Invalid", "True").state, State::refused);
}

TEST_F(CommandTest, LogsPrintWhatIsKept) {
  create("hello");
  logs_.append({"default", "hello"}, "pod", false, "one");
  logs_.append({"default", "hello"}, "pod", false, "two");
  EXPECT_EQ(run({"logs", "hello"}).out, "one\ntwo\n");
  EXPECT_EQ(run({"logs", "fn/hello", "--tail", "1", "--prefix"}).out, "[pod] two\n");
}

TEST_F(CommandTest, InvokeCallsTheUrlAndFailsFrom400On) {
  // The API server stands in for a function: without the token it answers 401, which shows that the token stays here.
  create("hello");
  EXPECT_EQ(run({"invoke", "hello"}).code, 1);  // no URL yet
  setStatus("hello", {{"url", url_ + "/healthz"}});
  const auto outcome = run({"invoke", "hello"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("401"), std::string::npos) << outcome.err;
  const auto allowed = run({"invoke", "hello", "-i", "-H", "Authorization: Bearer " + token_});
  EXPECT_EQ(allowed.code, 0) << allowed.err;
  EXPECT_TRUE(allowed.out.starts_with("HTTP/1.1 200 OK\n")) << allowed.out;
  EXPECT_TRUE(allowed.out.ends_with("\n\nok")) << allowed.out;
}

TEST_F(CommandTest, OnAClusterInvokeGoesThroughTheApiServerWithTheFunctionsHost) {
  const auto kubeconfig = state_.write("cluster", writeKubeconfig({url_, token_, "cluster"})).string();
  const auto invoke = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"invoke", "hello", "--kubeconfig", kubeconfig});
    return run(more);
  };
  create("hello");
  setStatus("hello", {{"url", "http://hello.example"}});
  EXPECT_EQ(invoke({}).err, "error: function hello: services \"hello\" not found\n");
  ASSERT_TRUE(cluster_.create(kube::resources::services,
                              {{"apiVersion", "v1"},
                               {"kind", "Service"},
                               {"metadata", {{"name", "hello"}, {"namespace", "default"}}},
                               {"spec", {{"type", "ExternalName"}, {"externalName", "gw-internal.system.svc.cluster.local"}}}},
                              "test"));
  // This API server proxies nothing, but tells what it was asked.
  const auto refused = invoke({});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(refused.err.starts_with("Error from server (Forbidden): the Host must be an IP address")) << refused.err;
  setStatus("hello", {{"url", "http://127.0.0.1"}});
  EXPECT_TRUE(invoke({}).err.starts_with("Error from server (NotFound): ")) << "the path of no resource of ours";
  EXPECT_NE(invoke({"-H", "authorization: x"}).err.find("--gateway"), std::string::npos);
  EXPECT_EQ(invoke({"--gateway", url_, "--path", "/healthz", "-H", "authorization: Bearer " + token_}).out, "ok");
}

TEST_F(CommandTest, WithoutAnInstanceItSaysHowToStartOne) {
  server_->stop();
  const auto refused = run({"get", "fn"});  // a kubeconfig that a killed instance left
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("pilotlight local -f"), std::string::npos) << refused.err;
  std::filesystem::remove(state_ / "kubeconfig");
  const auto none = run({"get", "fn"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("pilotlight local -f"), std::string::npos) << none.err;
}

TEST_F(CommandTest, AsAPluginItIsKubectlThatSaysWhichCluster) {
  create("hello");
  const auto kubeconfig = state_.write("of-kubectl", writeKubeconfig({url_, token_, "some", "default"})).string();
  std::istringstream in;
  std::ostringstream out, err;
  Context context{in, out, err};
  context.environment = [&](const char* name) { return std::string(name) == "KUBECONFIG" ? kubeconfig : ""; };
  context.plugin = true;
  const auto local = [](Context&, const LocalOptions&) { return 7; };
  EXPECT_EQ(cli::run(context, {"get", "fn", "-o", "name", "--context", "some"}, local), 0) << err.str();
  EXPECT_EQ(out.str(), "function.pilotlight.dev/hello\n");
  EXPECT_EQ(cli::run(context, {"get", "fn", "--context", "other"}, local), 1);
  EXPECT_NE(err.str().find("there is no context other"), std::string::npos) << err.str();
}

TEST_F(CommandTest, CompletesCommandsTypesAndNames) {
  create("hello");
  create("other");
  const auto complete = [&](std::vector<std::string> words) {
    std::istringstream in;
    std::ostringstream out, err;
    Context context{in, out, err};
    context.environment = [](const char*) { return std::string(); };
    context.kubeconfig = state_ / "kubeconfig";
    context.completing = true;
    EXPECT_EQ(cli::run(context, words, [](Context&, const LocalOptions&) { return 7; }), 0);
    EXPECT_EQ(err.str(), "");
    return out.str();
  };
  EXPECT_EQ(complete({"des"}), "describe\n:4\n");
  EXPECT_EQ(complete({"logs", "-f", "h"}), "hello\n:4\n");
  EXPECT_EQ(complete({"logs", "h"}), "hello\n:4\n");
  EXPECT_EQ(complete({"describe", "func"}), "functions\n:4\n");
  EXPECT_EQ(complete({"describe", "fn", ""}), "hello\nother\n:4\n");
  EXPECT_EQ(complete({"scale", "fn/o"}), "fn/other\n:4\n");
  EXPECT_EQ(complete({"logs", "-n", "shop", ""}), ":4\n");
  EXPECT_EQ(complete({"apply", "-f", ""}), ":0\n");
}

TEST_F(CommandTest, WrongUsageIs2) {
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"get"}).code, 2);
  EXPECT_EQ(run({"nothing"}).code, 2);
  EXPECT_EQ(run({"get", "fn", "-o", "xml"}).code, 2);
  EXPECT_EQ(run({"local", "-f", "x"}).code, 7);  // handed on
  EXPECT_TRUE(run({"version"}).out.starts_with("pilotlight "));
}

}  // namespace
}  // namespace pilotlight::cli
