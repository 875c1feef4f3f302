#include <gtest/gtest.h>

#include "api/api.h"
#include "support.h"

namespace pilotlight::api {
namespace {

Function fullFunction() {
  Function function;
  function.metadata = {.name = "orders",
                       .namespace_ = "shop",
                       .uid = "u",
                       .resourceVersion = "7",
                       .generation = 3,
                       .creationTimestamp = "2026-01-31T12:00:00Z",
                       .deletionTimestamp = "2026-01-31T13:00:00Z",
                       .labels = {{"a", "b"}},
                       .annotations = {{"c", "d"}},
                       .finalizers = {"f"},
                       .ownerReferences = {{"v1", "Pod", "p", "x", true, false}}};
  FunctionSpec& spec = function.spec;
  spec.image = "i";
  spec.handler = {"./run", ""};
  spec.env = {{"A", "1"}};
  spec.secrets = {{.name = "s", .path = "/s", .env = false}};
  spec.config = {{.name = "c", .path = "", .env = true}};
  spec.resources = {.memory = {1 << 30}, .cpu = {1500}, .ephemeral = Bytes{1 << 20}};
  spec.timeout = Duration(1500);
  spec.concurrency = {.perReplica = 1, .target = 100, .reserved = 0, .queue = {.requests = 0, .bytes = {0}, .wait = Duration(10)}};
  spec.replicas = 4;
  spec.scale = {.min = 1, .max = 8, .initial = 0, .toZeroAfter = Duration(1000), .metrics = {{}, {}}};
  spec.http = {.visibility = Visibility::cluster,
               .retry = Retry::idempotent,
               .protocol = Protocol::h2c,
               .limits = {.headers = 1, .headerBytes = {1024}, .url = {64}, .body = {0}},
               .idleTimeout = Duration(10),
               .hosts = {"h"},
               .routes = {{"/a/{b}", {"GET"}}}};
  spec.pod = {.labels = {{"l", ""}},
              .annotations = {{"n", "v"}},
              .nodeSelector = {{"k", "v"}},
              .tolerations = {{"k", "Equal", "v", "NoExecute"}},
              .imagePullSecrets = {"p"},
              .serviceAccountName = "sa",
              .runAsUser = 0,
              .readyPath = "/ready",
              .port = 9000};
  function.status = {.observedGeneration = 3,
                     .conditions = {{"Ready", "True", "R", "m", "2026-01-31T12:00:00Z", 3}},
                     .url = "http://x",
                     .versions = {6, 7},
                     .traffic = {{6, 95}, {7, 5}},
                     .replicas = 2,
                     .readyReplicas = 1,
                     .selector = "a=b",
                     .initialScaleReached = true};
  return function;
}

/// A member that is not read or not written breaks this: every member above differs from its default.
TEST(Write, GivesBackWhatWasRead) {
  Json written = write(fullFunction());
  auto read = readFunction(written);
  ASSERT_TRUE(read) << toString(read.error());
  EXPECT_EQ(write(*read), written);
  EXPECT_EQ(written["spec"]["pod"]["tolerations"][0]["operator"], "Equal");
  EXPECT_EQ(written["metadata"]["namespace"], "shop");
  EXPECT_EQ(written["spec"]["http"]["visibility"], "cluster");
  EXPECT_EQ(written["spec"]["resources"], (Json{{"memory", "1Gi"}, {"cpu", "1500m"}, {"ephemeral", "1Mi"}}));
  EXPECT_EQ(written["spec"]["http"]["protocol"], "h2c");
  EXPECT_EQ(written["spec"]["http"]["limits"], (Json{{"headers", 1}, {"headerBytes", "1Ki"}, {"url", "64"}, {"body", "0"}}));
  EXPECT_EQ(written["spec"]["concurrency"]["reserved"], 0) << "reserved: 0 is not the same as none";
  EXPECT_EQ(written["spec"]["pod"]["runAsUser"], 0);
  EXPECT_EQ(written["status"]["traffic"][1], (Json{{"version", 7}, {"weight", 5}}));
}

TEST(Write, LeavesOutWhatIsEmpty) {
  Json written = write(*readFunction(smallFunction()));
  EXPECT_EQ(written["metadata"], (Json{{"name", "orders"}, {"namespace", "shop"}}));
  EXPECT_FALSE(written.contains("status"));
  for (const char* field : {"env", "secrets", "config", "pod"}) EXPECT_FALSE(written["spec"].contains(field)) << field;
  EXPECT_FALSE(written["spec"]["resources"].contains("ephemeral"));
  EXPECT_EQ(written["spec"]["scale"]["min"], 0) << "zero is not empty";
}

TEST(Write, WritesTheDefaultsThatAdmissionWrites) {
  EXPECT_EQ(write(*readFunction(smallFunction())), *admit(smallFunction()));
}

TEST(Write, WritesRoutesAndVersionsThatAreReadAgain) {
  FunctionRoute route;
  route.metadata.name = "orders";
  route.spec.function = "orders";
  route.spec.localPath = "/orders";
  route.spec.backends = {
      {.version = 3, .weight = 100, .deployment = "orders-00003", .perReplica = 2, .timeout = Duration(50), .protocol = Protocol::h2c}};
  route.spec.limits = {.headers = 1, .headerBytes = {1024}, .url = {64}, .body = {0}};
  route.spec.idleTimeout = Duration(10);
  route.spec.reserved = 3;
  route.spec.created = "2026-01-31T12:00:00Z";
  route.status.gateways = {{"gw-0", 4}};
  auto readRoute = readFunctionRoute(write(route));
  ASSERT_TRUE(readRoute) << toString(readRoute.error());
  EXPECT_EQ(write(*readRoute), write(route));
  EXPECT_EQ(readRoute->status.gateways[0].observedGeneration, 4);
  auto version = readFunctionVersion(smallVersion());
  ASSERT_TRUE(version);
  EXPECT_EQ(write(*readFunctionVersion(write(*version))), write(*version));
}

TEST(Write, WritesConditionsAndStatusesAlone) {
  EXPECT_EQ(write(Condition{
                .type = "Ready", .status = "False", .reason = "R", .message = "m", .lastTransitionTime = "t", .observedGeneration = 2}),
            (Json{{"type", "Ready"},
                  {"status", "False"},
                  {"reason", "R"},
                  {"message", "m"},
                  {"lastTransitionTime", "t"},
                  {"observedGeneration", 2}}));
  EXPECT_EQ(writeStatus(FunctionStatus{})["replicas"], 0);
  EXPECT_EQ(writeStatus(FunctionRouteStatus{}), Json::object());
}

}  // namespace
}  // namespace pilotlight::api
