#include "kube/rest_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/rest_json.h"
#include "kube/rest_path.h"
#include "kube/status.h"
#include "scripted_transport.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

namespace {

const Key kOne{"shop", "one"};

Json configMap() {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "one"}, {"namespace", "shop"}}}, {"data", {{"a", "1"}}}};
}

Json status(int code, const char* reason, const char* message) {
  return {{"kind", "Status"}, {"status", "Failure"}, {"code", code}, {"reason", reason}, {"message", message}};
}

class RestClientTest : public ::testing::Test {
 protected:
  static RestOptions quick() {
    RestOptions options;
    options.retry.base = milliseconds(1);
    options.retry.cap = milliseconds(2);
    options.pageSize = 2;
    return options;
  }
  void answer(ScriptedTransport::Answer with) { transport.answers.push_back(std::move(with)); }
  std::string asked() const { return transport.requests.back().method + " " + transport.requests.back().target; }
  Json sent() const { return Json::parse(transport.requests.back().body); }

  ScriptedTransport transport;
  RestClient client{transport, quick()};
};

}  // namespace

TEST(RestPath, NamesGroupNamespaceAndObject) {
  EXPECT_EQ(apiPath(resources::pods, {"shop", "a"}), "/api/v1/namespaces/shop/pods/a");
  EXPECT_EQ(apiPath(resources::pods, {"", ""}), "/api/v1/pods");
  EXPECT_EQ(apiPath(resources::functions, {"shop", ""}), "/apis/pilotlight.dev/v1alpha1/namespaces/shop/functions");
  EXPECT_EQ(apiPath(resources::pods, {"a/b", "c?d"}), "/api/v1/namespaces/a%2Fb/pods/c%3Fd");
  EXPECT_EQ(Target("/x", "status").with("a", "").with("b", "c=d,é").text(), "/x/status?b=c%3Dd%2C%C3%A9");
}

TEST_F(RestClientTest, ARefusalBecauseTheNamespaceGoesIsToldFromAMissingRight) {
  answer(ScriptedTransport::json(403, status(403, "Forbidden",
                                             "configmaps \"one\" is forbidden: unable to create new content in namespace shop because it "
                                             "is being terminated")));
  answer(ScriptedTransport::json(403, status(403, "Forbidden", "configmaps is forbidden: User \"x\" cannot create resource")));
  EXPECT_TRUE(namespaceIsTerminating(client.create(resources::configMaps, configMap(), "test").error()));
  EXPECT_FALSE(namespaceIsTerminating(client.create(resources::configMaps, configMap(), "test").error()));
}

TEST_F(RestClientTest, EachMethodAsksAsTheApiServerWants) {
  answer(ScriptedTransport::json(200, configMap()));
  ASSERT_TRUE(client.get(resources::configMaps, kOne));
  EXPECT_EQ(asked(), "GET /api/v1/namespaces/shop/configmaps/one");
  ASSERT_TRUE(client.create(resources::configMaps, configMap(), "me"));
  EXPECT_EQ(asked(), "POST /api/v1/namespaces/shop/configmaps?fieldManager=me");
  ASSERT_TRUE(client.update(resources::configMaps, configMap(), "me"));
  EXPECT_EQ(asked(), "PUT /api/v1/namespaces/shop/configmaps/one?fieldManager=me");
  ASSERT_TRUE(client.apply(resources::configMaps, configMap(), {"me", true, true}));
  EXPECT_EQ(asked(), "PATCH /api/v1/namespaces/shop/configmaps/one?fieldManager=me&force=true&dryRun=All");
  EXPECT_EQ(transport.requests.back().contentType, "application/apply-patch+yaml");
  EXPECT_EQ(sent(), configMap());
  ASSERT_TRUE(client.applyStatus(resources::configMaps, configMap(), {"me"}));
  EXPECT_EQ(asked(), "PATCH /api/v1/namespaces/shop/configmaps/one/status?fieldManager=me");
  ASSERT_TRUE(client.mergePatch(resources::configMaps, kOne, {{"data", nullptr}}, "me", ""));
  EXPECT_EQ(asked(), "PATCH /api/v1/namespaces/shop/configmaps/one?fieldManager=me");
  EXPECT_EQ(transport.requests.back().contentType, "application/merge-patch+json");
  ASSERT_TRUE(client.patchScale(resources::deployments, kOne, 3, "77", "me"));
  EXPECT_EQ(asked(), "PATCH /apis/apps/v1/namespaces/shop/deployments/one/scale?fieldManager=me");
  EXPECT_EQ(sent(), Json({{"spec", {{"replicas", 3}}}, {"metadata", {{"resourceVersion", "77"}}}}));
  ASSERT_TRUE(client.remove(resources::configMaps, kOne, {.uid = "u", .resourceVersion = "7", .gracePeriodSeconds = 0}));
  EXPECT_EQ(asked(), "DELETE /api/v1/namespaces/shop/configmaps/one");
  EXPECT_EQ(sent()["preconditions"], Json({{"uid", "u"}, {"resourceVersion", "7"}}));
  EXPECT_EQ(sent()["gracePeriodSeconds"], 0);
}

TEST_F(RestClientTest, WithoutANamespaceWritesGoToDefaultAndWithoutANameNowhere) {
  answer(ScriptedTransport::json(200, configMap()));
  Json object = configMap();
  object["metadata"].erase("namespace");
  ASSERT_TRUE(client.create(resources::configMaps, object, ""));
  EXPECT_EQ(asked(), "POST /api/v1/namespaces/default/configmaps");
  object["metadata"].erase("name");
  EXPECT_EQ(client.update(resources::configMaps, object, "").error().code, ErrorCode::badRequest);
  EXPECT_EQ(client.remove(resources::configMaps, {"shop", ""}, {}).error().code, ErrorCode::badRequest) << "would delete all of them";
  EXPECT_THAT(transport.requests, SizeIs(1));
}

TEST_F(RestClientTest, AnErrorSaysWhatWasAttemptedOnWhatAndWhatTheServerSaid) {
  Json invalid = status(422, "Invalid", "Function \"one\" is invalid");
  invalid["details"]["causes"] = Json::array({{{"field", "spec.scale.min"}, {"message", "must not be more than scale.max"}}});
  answer(ScriptedTransport::json(422, invalid));
  const auto refused = client.update(resources::functions, configMap(), "me");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_EQ(refused.error().message,
            "update functions shop/one: 422 invalid: Function \"one\" is invalid; spec.scale.min: must not be more than scale.max");
}

TEST_F(RestClientTest, RefusalsForLoadAreRepeatedAlsoForWrites) {
  answer(ScriptedTransport::json(429, status(429, "TooManyRequests", "slow down"), {{"retry-after", "0"}}));
  answer(ScriptedTransport::json(503, status(503, "ServiceUnavailable", "not yet"), {{"Retry-After", "0"}}));
  answer(ScriptedTransport::failure(ErrorCode::unavailable));
  answer(ScriptedTransport::json(201, configMap()));
  EXPECT_TRUE(client.create(resources::configMaps, configMap(), "me").has_value());
  EXPECT_THAT(transport.requests, SizeIs(4));
}

TEST_F(RestClientTest, AnUndecidedWriteIsATimeoutAndNotRepeated) {
  for (const auto& with :
       {ScriptedTransport::failure(ErrorCode::timeout), ScriptedTransport::json(500, status(500, "InternalError", "?")),
        ScriptedTransport::json(504, status(504, "Timeout", "?")), ScriptedTransport::Answer(HttpResponse{200, "", {}, "{"})}) {
    transport.answers = {with};
    transport.requests.clear();
    EXPECT_EQ(client.create(resources::configMaps, configMap(), "me").error().code, ErrorCode::timeout);
    EXPECT_THAT(transport.requests, SizeIs(1));
  }
}

TEST_F(RestClientTest, ReadsAreRepeatedUntilTheAttemptsAreUsedUp) {
  answer(ScriptedTransport::failure(ErrorCode::timeout));
  const auto lost = client.get(resources::configMaps, kOne);
  EXPECT_EQ(lost.error().code, ErrorCode::timeout);
  EXPECT_THAT(lost.error().message, StartsWith("get configmaps shop/one: timeout: the wire"));
  EXPECT_THAT(transport.requests, SizeIs(RetryOptions().attempts));
}

TEST_F(RestClientTest, AWaitLongerThanTheCallMayTakeIsNotWaited) {
  answer(ScriptedTransport::json(429, status(429, "TooManyRequests", "slow down"), {{"Retry-After", "60"}}));
  const auto refused = client.get(resources::configMaps, kOne);
  EXPECT_EQ(refused.error().code, ErrorCode::tooManyRequests);
  EXPECT_EQ(refused.error().retryAfter, seconds(60)) << "the caller may";
  EXPECT_THAT(transport.requests, SizeIs(1));
}

TEST_F(RestClientTest, ShutdownEndsAWaitingCall) {
  answer(ScriptedTransport::json(429, status(429, "TooManyRequests", "slow down"), {{"Retry-After", "20"}}));
  std::thread stopping([&] { client.shutdown(); });
  EXPECT_EQ(client.get(resources::configMaps, kOne).error().code, ErrorCode::cancelled);
  stopping.join();
}

namespace {
Json page(const std::vector<std::string>& names, const std::string& next, const std::string& version = "9") {
  Json items = Json::array();
  for (const auto& name : names) items.push_back({{"metadata", {{"name", name}, {"managedFields", Json::array({1, 2})}}}});
  return {{"kind", "ConfigMapList"}, {"metadata", {{"resourceVersion", version}, {"continue", next}}}, {"items", items}};
}
std::string namesOf(const ObjectList& list) {
  std::string names;
  for (const Object& item : list.items) names += item.name();
  return names;
}
}  // namespace

TEST_F(RestClientTest, AListWithoutALimitIsReadPageByPage) {
  answer(ScriptedTransport::json(200, page({"a", "b"}, "more")));
  answer(ScriptedTransport::json(200, page({"c"}, "")));
  const auto list = client.list(resources::configMaps, {"shop", "app=x"});
  ASSERT_TRUE(list.has_value()) << list.error().message;
  EXPECT_EQ(namesOf(*list), "abc");
  EXPECT_EQ(list->resourceVersion, "9");
  EXPECT_EQ(transport.requests[0].target, "/api/v1/namespaces/shop/configmaps?limit=2&labelSelector=app%3Dx");
  EXPECT_EQ(transport.requests[1].target, "/api/v1/namespaces/shop/configmaps?limit=2&continue=more&labelSelector=app%3Dx");
  EXPECT_EQ(list->items[0].stringAt("/kind"), "ConfigMap");
  EXPECT_EQ(list->items[0].at("/metadata/managedFields"), nullptr);
}

TEST_F(RestClientTest, PagesThatExpiredBeginAgainBoundedly) {
  answer(ScriptedTransport::json(200, page({"old"}, "more")));
  answer(ScriptedTransport::json(410, status(410, "Expired", "too old")));
  answer(ScriptedTransport::json(200, page({"new"}, "")));
  EXPECT_EQ(namesOf(*client.list(resources::configMaps, {"shop"})), "new");

  transport.answers.clear();
  transport.requests.clear();
  for (int i = 0; i < 20; ++i) {
    answer(ScriptedTransport::json(200, page({"old"}, "more")));
    answer(ScriptedTransport::json(410, status(410, "Expired", "too old")));
  }
  EXPECT_EQ(client.list(resources::configMaps, {"shop"}).error().code, ErrorCode::gone);
  EXPECT_THAT(transport.requests, SizeIs(2 * (1 + RestOptions().listRestarts)));
}

TEST_F(RestClientTest, APageThatWasAskedForIsTheCallersToBeginAgain) {
  answer(ScriptedTransport::json(410, status(410, "Expired", "too old")));
  EXPECT_EQ(client.list(resources::configMaps, {"shop", "", 2, "token"}).error().code, ErrorCode::gone);
  EXPECT_THAT(transport.requests, SizeIs(1));
}

namespace {
std::string line(const char* type, const Json& object) {
  return Json({{"type", type}, {"object", object}}).dump() + "\n";
}
Json versioned(const char* version) {
  Json object = configMap();
  object["metadata"]["resourceVersion"] = version;
  object["metadata"]["managedFields"] = Json::array({1});
  return object;
}
}  // namespace

TEST_F(RestClientTest, AWatchGivesEachLineHoweverItIsCut) {
  const std::string all =
      line("ADDED", versioned("1")) + line("MODIFIED", versioned("2")) + line("BOOKMARK", versioned("3")) + line("DELETED", versioned("4"));
  for (const std::size_t size : {1UL, 7UL, 100UL, all.size()}) {
    transport.streamParts.clear();
    for (std::size_t at = 0; at < all.size(); at += size) transport.streamParts.push_back(all.substr(at, size));
    const auto stream = client.watch(resources::configMaps, {"shop", "", "1", seconds(290)});
    ASSERT_TRUE(stream.has_value());
    using Type = WatchEvent::Type;
    for (const auto& [type, version] : {std::pair{Type::added, "1"}, {Type::modified, "2"}, {Type::bookmark, "3"}, {Type::deleted, "4"}}) {
      const auto event = (*stream)->next(seconds(1));
      ASSERT_TRUE(event && *event);
      EXPECT_EQ((**event).type, type);
      EXPECT_EQ((**event).object.resourceVersion(), version);
      EXPECT_EQ((**event).object.at("/metadata/managedFields"), nullptr);
    }
    EXPECT_EQ((*stream)->next(seconds(1)).error().code, ErrorCode::timeout) << "the orderly end";
  }
  EXPECT_EQ(asked(), "GET /api/v1/namespaces/shop/configmaps?watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=290");
  EXPECT_EQ(transport.requests.back().idleTimeout, seconds(290) + RestOptions().watchMargin);
}

TEST_F(RestClientTest, AWatchEndsWithWhatTheServerSays) {
  transport.streamParts = {line("ERROR", status(410, "Expired", "too old resource version"))};
  auto stream = client.watch(resources::configMaps, {"shop"});
  const auto gone = (*stream)->next(seconds(1));
  EXPECT_EQ(gone.error().code, ErrorCode::gone);
  EXPECT_EQ(gone.error().message, "watch configmaps in shop: 410 gone: too old resource version");
  EXPECT_EQ((*stream)->next(seconds(1)).error().code, ErrorCode::gone) << "and stays so";

  transport.streamParts = {"(nothing)", line("ADDED", versioned("1")), "nonsense\n"};
  stream = client.watch(resources::configMaps, {"shop"});
  EXPECT_FALSE((*stream)->next(seconds(1))->has_value());
  EXPECT_TRUE((*stream)->next(seconds(1))->has_value());
  EXPECT_EQ((*stream)->next(seconds(1)).error().code, ErrorCode::unavailable);

  transport.streamError = Error{ErrorCode::timeout, "silence"};
  stream = client.watch(resources::configMaps, {"shop"});
  EXPECT_EQ((*stream)->next(seconds(1)).error().code, ErrorCode::unavailable) << "a dead connection is no orderly end";
}

TEST_F(RestClientTest, AWatchThatIsRefusedSaysWhy) {
  transport.streamStatus = 410;
  transport.streamParts = {status(410, "Expired", "too old").dump()};
  const auto refused = client.watch(resources::configMaps, {"shop"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::gone);
  EXPECT_THAT(refused.error().message, HasSubstr("too old"));
}

TEST_F(RestClientTest, AnEventWithoutAnEndIsBounded) {
  RestOptions options = quick();
  options.maxEventBytes = 100;
  RestClient bounded(transport, options);
  for (int i = 0; i < 10; ++i) transport.streamParts.push_back(std::string(50, 'x'));
  auto stream = bounded.watch(resources::configMaps, {"shop"});
  EXPECT_THAT((*stream)->next(seconds(1)).error().message, HasSubstr("too large"));
}

TEST(RestJson, DropsManagedFieldsOfTheMetadataAlone) {
  const std::string text = R"({"metadata": {"managedFields": [{"a": {}}], "name": "n", "labels": {"managedFields": "l"}},
                               "managedFields": 1, "spec": {"managedFields": [1]}})";
  const auto json = parseWithoutManagedFields(text, 0);
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->dump(), R"({"managedFields":1,"metadata":{"labels":{"managedFields":"l"},"name":"n"},"spec":{"managedFields":[1]}})");
  EXPECT_FALSE(parseWithoutManagedFields("[1]", 0).has_value());
  EXPECT_FALSE(parseWithoutManagedFields("{\"a\":", 0).has_value());
  EXPECT_FALSE(parseWithoutManagedFields("", 0).has_value());
  EXPECT_FALSE(parseList(R"({"items": {}})", resources::pods).has_value());
  EXPECT_FALSE(parseList(R"({"items": [1]})", resources::pods).has_value());
  EXPECT_TRUE(parseList(R"({"metadata": {}, "items": null})", resources::pods).has_value());
}

TEST(RestRetry, WaitsLongerEachTimeAndNeverLessThanAsked) {
  const RetryOptions options{.attempts = 6, .base = milliseconds(100), .cap = milliseconds(1000)};
  const Error down{ErrorCode::unavailable, ""};
  EXPECT_EQ(retryDelay(options, down, Effect::read, 1, 0), milliseconds(100));
  EXPECT_EQ(retryDelay(options, down, Effect::read, 2, 0), milliseconds(200));
  EXPECT_EQ(retryDelay(options, down, Effect::read, 5, 0), milliseconds(1000));
  EXPECT_EQ(retryDelay(options, down, Effect::read, 2, 0.999), milliseconds(101)) << "jitter takes up to a half";
  EXPECT_EQ(retryDelay(options, down, Effect::read, 6, 0), std::nullopt) << "the last attempt";
  const Error patient{ErrorCode::tooManyRequests, "", seconds(3)};
  EXPECT_EQ(retryDelay(options, patient, Effect::write, 1, 0.5), seconds(3));
}

TEST(RestRetry, OnlyWhatHadNoEffectIsWorthAnother) {
  using enum ErrorCode;
  for (const ErrorCode code : {notFound, alreadyExists, conflict, gone, invalid, badRequest, forbidden, cancelled}) {
    EXPECT_EQ(retryDelay({}, {code, ""}, Effect::read, 1, 0), std::nullopt);
  }
  EXPECT_NE(retryDelay({}, {timeout, ""}, Effect::read, 1, 0), std::nullopt);
  EXPECT_EQ(retryDelay({}, {timeout, ""}, Effect::write, 1, 0), std::nullopt);
  EXPECT_NE(retryDelay({}, {tooManyRequests, ""}, Effect::write, 1, 0), std::nullopt);
}

TEST(RestRetry, AnswersMeanWhatTheyMeanToTheVerb) {
  EXPECT_EQ(answerError(500, "", "", Effect::read).code, ErrorCode::unavailable);
  EXPECT_EQ(answerError(500, "", "", Effect::write).code, ErrorCode::timeout);
  EXPECT_EQ(answerError(503, "", "", Effect::write).code, ErrorCode::timeout);
  EXPECT_EQ(answerError(503, "", "1", Effect::write).code, ErrorCode::unavailable);
  EXPECT_EQ(answerError(429, "", "7", Effect::write).retryAfter, seconds(7));
  EXPECT_EQ(answerError(429, "", "-7", Effect::write).retryAfter, std::nullopt);
  EXPECT_EQ(answerError(429, "", "999999", Effect::write).retryAfter, seconds(120)) << "bounded";
  EXPECT_EQ(answerError(409, R"({"reason":"AlreadyExists","message":"m"})", "", Effect::write).code, ErrorCode::alreadyExists);
  const auto details = answerError(429, R"({"message":"m","details":{"retryAfterSeconds":3}})", "", Effect::read);
  EXPECT_EQ(details.retryAfter, seconds(3));
}

}  // namespace pilotlight::kube
