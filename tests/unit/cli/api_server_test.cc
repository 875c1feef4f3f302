#include <thread>

#include "cli/api_client.h"
#include "cli/line_splitter.h"
#include "kube/transport.h"
#include "tests/unit/cli/api_fixture.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

constexpr const char* kFunctions = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functions";
constexpr std::chrono::seconds kSoon{20};

class ApiServerTest : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    transport_ = *kube::makeTransport({.baseUrl = url_, .credentials = kube::fixedCredentials({.bearerToken = token_})});
  }
  kube::HttpResponse send(kube::HttpRequest request) {
    auto response = transport_->send(request);
    EXPECT_TRUE(response) << response.error().message;
    return response ? *response : kube::HttpResponse{};
  }
  static std::string line(kube::BodyStream& stream, LineSplitter& lines, std::vector<std::string>& ready) {
    while (ready.empty()) {
      auto part = stream.next(kSoon);
      if (!part || !*part || (*part)->empty()) return "";
      ready = lines.feed(**part);
    }
    auto first = ready.front();
    ready.erase(ready.begin());
    return first;
  }
  std::unique_ptr<kube::Transport> transport_;
};

TEST_F(ApiServerTest, EveryPathNeedsTheToken) {
  for (const std::string& token : {std::string(), std::string("wrong"), token_.substr(1), token_ + "0"}) {
    const auto stranger = *kube::makeTransport({.baseUrl = url_, .credentials = kube::fixedCredentials({.bearerToken = token})});
    for (const char* path : {kFunctions, "/healthz", "/metrics", "/version", "/apis", "/nothing"}) {
      const auto response = stranger->send({.target = path});
      ASSERT_TRUE(response) << response.error().message;
      EXPECT_EQ(response->status, 401) << path;
      EXPECT_EQ(Json::parse(response->body)["reason"], "Unauthorized");
    }
  }
}

TEST_F(ApiServerTest, AReboundNameIsRefused) {
  const auto response = send({.target = kFunctions, .headers = {{"Host", "evil.example"}}});
  EXPECT_EQ(response.status, 403);
}

TEST_F(ApiServerTest, AnswersPlainPages) {
  EXPECT_EQ(send({.target = "/healthz"}).body, "ok");
  EXPECT_EQ(send({.target = "/metrics"}).body, "up 1\n");
  EXPECT_NE(send({.target = "/version"}).body.find("pilotlight-1.2.3"), std::string::npos);
  EXPECT_EQ(Json::parse(send({.target = "/apis"}).body)["kind"], "APIGroupList");
  EXPECT_EQ(send({.target = "/openapi/v2"}).status, 404);
}

TEST_F(ApiServerTest, CarriesAnObjectsLife) {
  ApiClient api(*transport_);
  const auto& functions = kube::resources::functions;
  const kube::Key key{"default", "hello"};
  EXPECT_EQ(*api.apply(functions, functionObject("hello"), false), Applied::created);
  EXPECT_EQ(*api.apply(functions, functionObject("hello"), false), Applied::unchanged);
  auto changed = functionObject("hello");
  changed["spec"]["timeout"] = "5s";
  EXPECT_EQ(*api.apply(functions, changed, false), Applied::configured);
  EXPECT_TRUE(api.scale(functions, key, 2));
  EXPECT_EQ(api.get(functions, key)->intAt("/spec/replicas"), 2);
  EXPECT_EQ(api.list(functions, "")->items.size(), 1U);
  EXPECT_TRUE(api.remove(functions, key));
  EXPECT_EQ(api.get(functions, key).error().code, kube::ErrorCode::notFound);
}

TEST_F(ApiServerTest, TakesApplyAsYaml) {
  const std::string yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: \"1\"}\n";
  const auto response = send({.method = "PATCH",
                              .target = "/api/v1/namespaces/default/configmaps/c?fieldManager=t",
                              .body = yaml,
                              .contentType = "application/apply-patch+yaml"});
  EXPECT_EQ(response.status, 201) << response.body;
}

TEST_F(ApiServerTest, ABodyAboveTheBoundIs413) {
  const auto response =
      send({.method = "POST", .target = kFunctions, .body = std::string((1U << 20) + 1, ' '), .contentType = "application/json"});
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(send({.target = "/healthz"}).status, 200);
}

TEST_F(ApiServerTest, WatchesStreamEveryChange) {
  ApiClient api(*transport_);
  const auto list = api.list(kube::resources::functions, "default");
  auto stream = api.watch(kube::resources::functions, {"default", ""}, list->resourceVersion);
  ASSERT_TRUE(stream) << stream.error().message;
  LineSplitter lines;
  std::vector<std::string> ready;
  ASSERT_TRUE(api.apply(kube::resources::functions, functionObject("a"), false));
  EXPECT_EQ(Json::parse(line(**stream, lines, ready))["type"], "ADDED");
  ASSERT_TRUE(api.scale(kube::resources::functions, {"default", "a"}, 1));
  EXPECT_EQ(Json::parse(line(**stream, lines, ready))["object"]["spec"]["replicas"], 1);
  ASSERT_TRUE(api.remove(kube::resources::functions, {"default", "a"}));
  EXPECT_EQ(Json::parse(line(**stream, lines, ready))["type"], "DELETED");
}

TEST_F(ApiServerTest, ACancelledStreamEndsAtOnceAndTheirNumberIsBounded) {
  ApiClient api(*transport_);
  std::vector<std::unique_ptr<kube::BodyStream>> open;
  for (int i = 0; i < 4; ++i) {
    auto stream = api.watch(kube::resources::functions, {}, "");
    ASSERT_TRUE(stream) << stream.error().message;
    open.push_back(std::move(*stream));
  }
  EXPECT_EQ(api.watch(kube::resources::functions, {}, "").error().code, kube::ErrorCode::tooManyRequests);
  std::thread canceller([&] { open[0]->cancel(); });
  EXPECT_EQ(open[0]->next(kSoon).error().code, kube::ErrorCode::cancelled);
  canceller.join();
}

TEST_F(ApiServerTest, LogsAreFollowed) {
  ApiClient api(*transport_);
  const kube::Key key{"default", "hello"};
  EXPECT_EQ(api.logs(key, {}).error().code, kube::ErrorCode::notFound);
  ASSERT_TRUE(api.apply(kube::resources::functions, functionObject("hello"), false));
  logs_.append(key, "hello-1", false, "one");
  logs_.append(key, "hello-1", false, "two");
  auto stream = api.logs(key, {.tail = 1, .follow = true});
  ASSERT_TRUE(stream) << stream.error().message;
  LineSplitter lines;
  std::vector<std::string> ready;
  EXPECT_EQ(line(**stream, lines, ready), "two");
  logs_.append(key, "hello-1", true, "three");
  EXPECT_EQ(line(**stream, lines, ready), "three");
  auto whole = api.logs(key, {});
  ASSERT_TRUE(whole);
  ready.clear();
  LineSplitter again;
  EXPECT_EQ(line(**whole, again, ready), "one");
}

TEST_F(ApiServerTest, StopsWithStreamsOpen) {
  ApiClient api(*transport_);
  auto stream = api.watch(kube::resources::functions, {}, "");
  ASSERT_TRUE(stream);
  server_->stop();
  auto end = (*stream)->next(kSoon);
  EXPECT_TRUE(!end || (end->has_value() && (*end)->empty()));
  EXPECT_FALSE(transport_->send({.target = "/healthz"}));
}

TEST_F(ApiServerTest, TablesForKubectlHaveOurColumns) {
  ApiClient api(*transport_);
  ASSERT_TRUE(api.apply(kube::resources::functions, functionObject("hello"), false));
  const auto response =
      send({.target = kFunctions, .headers = {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}}});
  const auto table = Json::parse(response.body);
  EXPECT_EQ(table["kind"], "Table");
  EXPECT_EQ(table["columnDefinitions"][3]["name"], "URL");
  EXPECT_EQ(table["rows"][0]["cells"][0], "hello");
  EXPECT_EQ(table["rows"][0]["object"]["metadata"]["name"], "hello");
}

}  // namespace
}  // namespace pilotlight::cli
