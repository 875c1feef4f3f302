#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api.h"
#include "support.h"

namespace pilotlight::api {
namespace {

TEST(Admit, WritesDefaultsOut) {
  auto admitted = admit(functionWith(R"({"secrets": [{"name": "db", "path": "/db"}], "scale": {"max": 3}, "http": {"routes": [{}]}})"));
  ASSERT_TRUE(admitted) << toString(admitted.error());
  EXPECT_EQ((*admitted)["spec"], Json::parse(R"({
    "image": "example/orders:1", "handler": ["./orders"], "runtime": "http", "timeout": "30s",
    "secrets": [{"name": "db", "path": "/db", "env": false, "onChange": "none"}],
    "resources": {"memory": "128Mi", "cpu": "100m"},
    "concurrency": {"perReplica": 80, "target": 70, "queue": {"requests": 1000, "bytes": "64Mi", "wait": "30s"}},
    "scale": {"min": 0, "parked": 0, "max": 3, "initial": 1, "toZeroAfter": "1m", "metrics": [{"type": "concurrency"}]},
    "http": {"visibility": "public", "retry": "never", "protocol": "http1", "idleTimeout": "5m",
             "limits": {"headers": 100, "headerBytes": "12Ki", "url": "8Ki", "body": "1Gi"}, "routes": [{"path": "/{proxy+}"}]}})"));
}

TEST(Admit, KeepsWhatIsWritten) {
  Json function = functionWith(R"({"timeout": "60s", "resources": {"cpu": 1}, "env": []})");
  function["metadata"]["managedFields"] = {{{"manager", "kubectl"}}};
  function["status"] = {{"replicas", 2}, {"note", "of another version"}};
  auto admitted = admit(function);
  ASSERT_TRUE(admitted) << toString(admitted.error());
  EXPECT_EQ((*admitted)["metadata"], function["metadata"]);
  EXPECT_EQ((*admitted)["status"], function["status"]);
  EXPECT_EQ((*admitted)["spec"]["timeout"], "60s");
  EXPECT_EQ((*admitted)["spec"]["resources"]["cpu"], 1);
  EXPECT_EQ((*admitted)["spec"]["env"], Json::array());
}

TEST(Admit, TakesNullForTheDefault) {
  auto admitted = admit(functionWith(R"({"scale": null, "timeout": null})"));
  ASSERT_TRUE(admitted) << toString(admitted.error());
  EXPECT_EQ((*admitted)["spec"]["scale"]["max"], 20);
  EXPECT_EQ((*admitted)["spec"]["timeout"], "30s");
}

TEST(Admit, ChangesNothingTheSecondTime) {
  for (const Json& object : {smallFunction(), smallVersion(), smallRoute()}) {
    auto once = admit(object);
    ASSERT_TRUE(once) << toString(once.error());
    EXPECT_EQ(admit(*once), *once);
  }
}

TEST(Admit, LetsOtherKindsPass) {
  for (const char* text : {R"({"apiVersion": "v1", "kind": "Pod", "spec": 1})", R"({"apiVersion": "other.dev/v1", "kind": "Function"})",
                           R"({"apiVersion": "pilotlight.developers/v1", "kind": "Function"})", R"({})"}) {
    Json object = Json::parse(text);
    EXPECT_EQ(admit(object), object) << text;
  }
}

TEST(Admit, RefusesOurKindsWhenTheyAreWrong) {
  Json route = smallRoute();
  route["spec"]["hosts"] = {"A"};
  Json version = smallVersion();
  version["spec"]["image"] = "";
  Json function = smallFunction();
  function["apiVersion"] = "pilotlight.dev/v9";
  for (const Json& object : {route, version, function, Json::array()}) EXPECT_FALSE(admit(object)) << object;
}

}  // namespace
}  // namespace pilotlight::api
