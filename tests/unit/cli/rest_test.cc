#include "cli/local/rest.h"

#include <gtest/gtest.h>

#include "api/api.h"
#include "cli/local/api_server.h"
#include "cli/local/discovery.h"
#include "kube/memory.h"

namespace pilotlight::local {
namespace {

using kube::Json;

TEST(ApiPaths, NameResourceNamespaceNameAndSubresource) {
  const auto item = parseApiPath("/apis/pilotlight.dev/v1alpha1/namespaces/shop/functions/orders/status");
  ASSERT_TRUE(item);
  EXPECT_EQ(item->resource, kube::resources::functions);
  EXPECT_EQ(item->namespace_, "shop");
  EXPECT_EQ(item->name, "orders");
  EXPECT_EQ(item->subresource, "status");
  const auto all = parseApiPath("/api/v1/pods");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->resource, kube::resources::pods);
  EXPECT_EQ(all->namespace_, "");
}

TEST(ApiPaths, RefuseWhatIsNotAResource) {
  for (const char* path : {"", "/", "/api", "/api/v1", "/apis/pilotlight.dev/v1alpha1", "/api/v1/nothing", "/apis/other/v1/functions",
                           "/api/v1/namespaces/a/pods/b/log/more", "/api/v1/pods/b", "//", "/api/v2/pods"}) {
    EXPECT_FALSE(parseApiPath(path)) << path;
  }
}

TEST(Queries, ArePercentDecoded) {
  const auto query = parseQuery("labelSelector=a%3Db%2Cc&watch=true&empty&x=1+2");
  EXPECT_EQ(query.at("labelSelector"), "a=b,c");
  EXPECT_EQ(query.at("watch"), "true");
  EXPECT_EQ(query.at("empty"), "");
  EXPECT_EQ(query.at("x"), "1 2");
}

TEST(Authorization, AcceptsKubectlsFormOfTheToken) {
  EXPECT_TRUE(authorized("Basic cGlsb3RsaWdodDpzZWNyZXQ=", "secret"));  // pilotlight:secret
  EXPECT_FALSE(authorized("Basic cGlsb3RsaWdodDpzZWNyZXQ=", "secret2"));
  EXPECT_FALSE(authorized("Basic c29tZW9uZTpzZWNyZXQ=", "secret"));  // someone:secret
}

TEST(Authorization, MatchesTheWholeTokenOnly) {
  EXPECT_TRUE(authorized("Bearer secret", "secret"));
  EXPECT_TRUE(authorized("bearer secret", "secret"));
  EXPECT_FALSE(authorized("Bearer secreT", "secret"));
  EXPECT_FALSE(authorized("Bearer secret2", "secret"));
  EXPECT_FALSE(authorized("Basic secret", "secret"));
  EXPECT_FALSE(authorized("", "secret"));
  EXPECT_FALSE(authorized("Bearer ", ""));
}

TEST(HostHeader, MustBeAnAddressOrLocalhost) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:80", "localhost:80", "LOCALHOST", "[::1]:80", "[::1]"})
    EXPECT_TRUE(hostAllowed(host)) << host;
  for (const char* host : {"", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "[evil]", "[", "localhost.evil"})
    EXPECT_FALSE(hostAllowed(host)) << host;
}

TEST(Tokens, Are256BitsAndNeverTheSame) {
  EXPECT_EQ(randomToken().size(), 64U);
  EXPECT_NE(randomToken(), randomToken());
}

TEST(Discovery, ListsGroupsAndResources) {
  EXPECT_EQ((*discovery("/api"))["versions"][0], "v1");
  const auto list = *discovery("/apis/pilotlight.dev/v1alpha1");
  bool found = false;
  for (const auto& resource : list["resources"]) found = found || (resource["name"] == "functions" && resource["shortNames"][0] == "fn");
  EXPECT_TRUE(found);
  EXPECT_FALSE(discovery("/apis/unknown"));
}

class RestTest : public ::testing::Test {
 protected:
  RestTest()
      : cluster_(kube::MemoryClusterOptions{.historyPerResource = 100,
                                            .admit = [](const Json& object) -> std::expected<Json, std::string> {
                                              auto done = api::admit(object);
                                              if (!done) return std::unexpected(api::toString(done.error()));
                                              return std::move(*done);
                                            },
                                            .now = {}}) {}

  ApiResponse call(const std::string& method, const std::string& path, const Json& body = {}, const std::string& query = "",
                   const std::string& type = "application/json") {
    return handleApi(cluster_, {method, *parseApiPath(path), parseQuery(query), type, body.is_null() ? "" : body.dump()});
  }
  static Json configMap(const std::string& name, const std::string& value) {
    return {{"metadata", {{"name", name}}}, {"data", {{"key", value}}}};
  }

  static constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
  static constexpr const char* kFunctions = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functions";
  kube::MemoryCluster cluster_;
};

TEST_F(RestTest, CreatesReadsReplacesAndDeletes) {
  const auto created = call("POST", kMaps, configMap("a", "1"));
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.body["kind"], "ConfigMap");
  EXPECT_EQ(call("POST", kMaps, configMap("a", "1")).body["reason"], "AlreadyExists");
  EXPECT_EQ(call("GET", std::string(kMaps) + "/a").body["data"]["key"], "1");
  auto replaced = created.body;
  replaced["data"]["key"] = "2";
  EXPECT_EQ(call("PUT", std::string(kMaps) + "/a", replaced).status, 200);
  EXPECT_EQ(call("PUT", std::string(kMaps) + "/a", replaced).body["reason"], "Conflict");  // the old resourceVersion
  EXPECT_EQ(call("DELETE", std::string(kMaps) + "/a").body["status"], "Success");
  const auto gone = call("GET", std::string(kMaps) + "/a");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.body["kind"], "Status");
  EXPECT_EQ(gone.body["reason"], "NotFound");
}

TEST_F(RestTest, AppliesWithOwnersAndDryRun) {
  const std::string path = std::string(kMaps) + "/a";
  const auto apply = [&](const std::string& value, const std::string& query) {
    return call("PATCH", path, configMap("a", value), query, "application/apply-patch+yaml");
  };
  EXPECT_EQ(apply("1", "").status, 400);  // no field manager
  EXPECT_EQ(apply("1", "fieldManager=x&dryRun=All").status, 201);
  EXPECT_EQ(call("GET", path).status, 404);
  EXPECT_EQ(apply("1", "fieldManager=x").status, 201);
  EXPECT_EQ(apply("1", "fieldManager=x").status, 200);
  EXPECT_EQ(apply("2", "fieldManager=y").body["reason"], "Conflict");
  EXPECT_EQ(apply("2", "fieldManager=y&force=true").status, 200);
}

TEST_F(RestTest, AWrongFunctionIs422WithTheField) {
  const Json wrong = {{"metadata", {{"name", "hello"}}},
                      {"spec", {{"image", "x"}, {"runtime", "http"}, {"handler", {"x"}}, {"scale", {{"min", -1}}}}}};
  const auto answer = call("POST", kFunctions, wrong);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body["reason"], "Invalid");
  EXPECT_NE(answer.body["message"].get<std::string>().find("spec.scale.min"), std::string::npos);
}

TEST_F(RestTest, ScalesByTheSubresource) {
  const Json function = {{"metadata", {{"name", "hello"}}}, {"spec", {{"image", "x"}, {"runtime", "http"}, {"handler", {"x"}}}}};
  ASSERT_EQ(call("POST", kFunctions, function).status, 201);
  const std::string path = std::string(kFunctions) + "/hello/scale";
  const auto scaled = call("PATCH", path, {{"spec", {{"replicas", 3}}}}, "", "application/merge-patch+json");
  EXPECT_EQ(scaled.status, 200) << scaled.body;
  EXPECT_EQ(scaled.body["kind"], "Scale");
  EXPECT_EQ(scaled.body["spec"]["replicas"], 3);
  EXPECT_EQ(call("PATCH", path, {{"spec", {{"replicas", "x"}}}}, "", "application/merge-patch+json").status, 400);
}

TEST_F(RestTest, ListsInPagesAndByLabel) {
  for (int i = 0; i < 5; ++i) {
    auto map = configMap("m" + std::to_string(i), "x");
    map["metadata"]["labels"]["even"] = i % 2 == 0 ? "yes" : "no";
    ASSERT_EQ(call("POST", kMaps, map).status, 201);
  }
  EXPECT_EQ(call("GET", kMaps, {}, "labelSelector=even%3Dyes").body["items"].size(), 3U);
  const auto page = call("GET", kMaps, {}, "limit=2").body;
  EXPECT_EQ(page["items"].size(), 2U);
  const std::string next = page["metadata"]["continue"];
  EXPECT_EQ(call("GET", kMaps, {}, "limit=10&continue=" + next).body["items"].size(), 3U);
  EXPECT_EQ(call("GET", "/api/v1/configmaps", {}, "fieldSelector=metadata.name%3Dm3").body["items"].size(), 1U);
  EXPECT_EQ(call("GET", kMaps, {}, "fieldSelector=spec.x%3D1").status, 400);
}

TEST_F(RestTest, FindsTheEventsOfAnObject) {
  constexpr const char* kEvents = "/api/v1/namespaces/default/events";
  for (const std::string& name : {std::string("a"), std::string("b")}) {
    ASSERT_EQ(
        call("POST", kEvents, {{"metadata", {{"name", "of-" + name}}}, {"involvedObject", {{"kind", "Function"}, {"name", name}}}}).status,
        201);
  }
  const auto found = call("GET", kEvents, {}, "fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DFunction").body;
  ASSERT_EQ(found["items"].size(), 1U);
  EXPECT_EQ(found["items"][0]["metadata"]["name"], "of-a");
}

TEST_F(RestTest, RefusesBodiesThatContradictThePathOrMakeNoSense) {
  auto other = configMap("b", "1");
  EXPECT_EQ(call("PUT", std::string(kMaps) + "/a", other).status, 400);
  other["metadata"]["namespace"] = "elsewhere";
  EXPECT_EQ(call("POST", kMaps, other).status, 400);
  EXPECT_EQ(call("POST", kMaps, Json::array()).status, 400);
  EXPECT_EQ(call("POST", kMaps, {{"metadata", "x"}}).status, 400);
  EXPECT_EQ(call("PATCH", std::string(kMaps) + "/a", {}, "", "application/json-patch+json").status, 415);
  EXPECT_EQ(call("POST", std::string(kMaps) + "/a", configMap("a", "1")).status, 405);
}

TEST_F(RestTest, AWatchFromNothingBeginsWithWhatIsThere) {
  ASSERT_EQ(call("POST", kMaps, configMap("a", "1")).status, 201);
  auto lines = WatchLines::open(cluster_, {"GET", *parseApiPath(kMaps), {}, "", ""});
  ASSERT_TRUE(lines);
  const auto first = Json::parse(*(*lines)->next(std::chrono::seconds(5)));
  EXPECT_EQ(first["type"], "ADDED");
  EXPECT_EQ(first["object"]["metadata"]["name"], "a");
  ASSERT_EQ(call("DELETE", std::string(kMaps) + "/a").status, 200);
  EXPECT_EQ(Json::parse(*(*lines)->next(std::chrono::seconds(5)))["type"], "DELETED");
  (*lines)->cancel();
  EXPECT_EQ((*lines)->next(std::chrono::seconds(5)), std::nullopt);
}

TEST_F(RestTest, AWatchFromTooLongAgoSaysExpired) {
  ASSERT_EQ(call("POST", kMaps, configMap("a", "0")).status, 201);
  const auto old = call("GET", kMaps).body["metadata"]["resourceVersion"].get<std::string>();
  for (int i = 0; i < 150; ++i) {
    ASSERT_EQ(
        call("PATCH", std::string(kMaps) + "/a", {{"data", {{"key", std::to_string(i + 1)}}}}, "", "application/merge-patch+json").status,
        200);
  }
  auto lines = WatchLines::open(cluster_, {"GET", *parseApiPath(kMaps), {{"resourceVersion", old}}, "", ""});
  if (!lines) {
    EXPECT_EQ(lines.error().code, kube::ErrorCode::gone);
    return;
  }
  const auto event = Json::parse(*(*lines)->next(std::chrono::seconds(5)));
  EXPECT_EQ(event["type"], "ERROR");
  EXPECT_EQ(event["object"]["code"], 410);
}

}  // namespace
}  // namespace pilotlight::local
