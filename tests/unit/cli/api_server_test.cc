#include <thread>

#include "cli/line_splitter.h"
#include "kube/transport.h"
#include "tests/unit/cli/api_fixture.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

constexpr const char* kFunctions = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functions";
constexpr const char* kWatch = "/apis/pilotlight.dev/v1alpha1/functions?watch=true";
constexpr const char* kLog = "/apis/pilotlight.dev/v1alpha1/namespaces/default/functions/hello/log";
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
  /// What is streamed; its status must be `status`.
  std::unique_ptr<kube::BodyStream> open(const std::string& target, int status = 200) {
    auto response = transport_->stream({.target = target});
    EXPECT_TRUE(response) << response.error().message;
    if (!response) return nullptr;
    EXPECT_EQ(response->head.status, status) << target;
    return std::move(response->body);
  }
  void apply(const std::string& name) { ASSERT_TRUE(cluster_.apply(kube::resources::functions, functionObject(name), {"test"})); }
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
  const auto list = cluster_.list(kube::resources::functions, {});
  const auto stream = open(std::string(kFunctions) + "?watch=true&resourceVersion=" + list->resourceVersion);
  ASSERT_TRUE(stream);
  LineSplitter lines;
  std::vector<std::string> ready;
  apply("a");
  EXPECT_EQ(Json::parse(line(*stream, lines, ready))["type"], "ADDED");
  ASSERT_TRUE(cluster_.patchScale(kube::resources::functions, {"default", "a"}, 1, "", "test"));
  EXPECT_EQ(Json::parse(line(*stream, lines, ready))["object"]["spec"]["replicas"], 1);
  ASSERT_TRUE(cluster_.remove(kube::resources::functions, {"default", "a"}, {}));
  EXPECT_EQ(Json::parse(line(*stream, lines, ready))["type"], "DELETED");
}

TEST_F(ApiServerTest, ACancelledStreamEndsAtOnceAndTheirNumberIsBounded) {
  std::vector<std::unique_ptr<kube::BodyStream>> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(open(kWatch));
    ASSERT_TRUE(streams.back());
  }
  open(kWatch, 429);
  std::thread canceller([&] { streams[0]->cancel(); });
  EXPECT_EQ(streams[0]->next(kSoon).error().code, kube::ErrorCode::cancelled);
  canceller.join();
}

TEST_F(ApiServerTest, LogsAreFollowed) {
  const kube::Key key{"default", "hello"};
  open(kLog, 404);
  apply("hello");
  logs_.append(key, "hello-1", false, "one");
  logs_.append(key, "hello-1", false, "two");
  const auto stream = open(std::string(kLog) + "?tailLines=1&follow=true");
  ASSERT_TRUE(stream);
  LineSplitter lines;
  std::vector<std::string> ready;
  EXPECT_EQ(line(*stream, lines, ready), "two");
  logs_.append(key, "hello-1", true, "three");
  EXPECT_EQ(line(*stream, lines, ready), "three");
  const auto whole = open(kLog);
  ASSERT_TRUE(whole);
  ready.clear();
  LineSplitter again;
  EXPECT_EQ(line(*whole, again, ready), "one");
}

TEST_F(ApiServerTest, StopsWithStreamsOpen) {
  const auto stream = open(kWatch);
  ASSERT_TRUE(stream);
  server_->stop();
  auto end = stream->next(kSoon);
  EXPECT_TRUE(!end || (end->has_value() && (*end)->empty()));
  EXPECT_FALSE(transport_->send({.target = "/healthz"}));
}

TEST_F(ApiServerTest, TablesForKubectlHaveOurColumns) {
  apply("hello");
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
