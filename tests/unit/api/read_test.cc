#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api.h"
#include "support.h"

namespace pilotlight::api {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

FieldErrors errorsOf(const Json& object) {
  auto function = readFunction(object);
  return function ? FieldErrors{} : function.error();
}

TEST(ReadFunction, FillsInDefaults) {
  auto function = readFunction(smallFunction());
  ASSERT_TRUE(function);
  EXPECT_EQ(function->metadata.name, "orders");
  EXPECT_EQ(function->metadata.namespace_, "shop");
  EXPECT_EQ(function->spec.runtime, Runtime::http);
  EXPECT_EQ(function->spec.timeout, std::chrono::seconds(30));
  EXPECT_EQ(function->spec.concurrency.queue.bytes.value, 64LL << 20);
  EXPECT_FALSE(function->spec.replicas);
  EXPECT_THAT(function->spec.scale.metrics, SizeIs(1));
  EXPECT_FALSE(function->spec.resources.ephemeral);
  EXPECT_FALSE(function->spec.concurrency.reserved);
  EXPECT_EQ(function->spec.http.protocol, Protocol::http1);
  EXPECT_EQ(function->spec.http.limits.body.value, 1LL << 30);
  EXPECT_EQ(function->spec.http.idleTimeout, std::chrono::minutes(5));
}

TEST(ReadFunction, ReadsEveryKindOfField) {
  auto function = readFunction(functionWith(R"({
    "runtime": "native", "handler": ["libhello.so", "handle"], "env": [{"name": "A", "value": "1"}, {"name": "B"}],
    "secrets": [{"name": "db", "path": "/run/db"}], "config": [{"name": "c", "env": true}],
    "resources": {"memory": 1048576000, "cpu": 2, "ephemeral": "1Gi"}, "timeout": "1m30s",
    "scale": {"min": 1, "max": 3, "initial": 0}, "http": {"visibility": "cluster", "hosts": ["a.example"],
    "routes": [{"path": "/users/{id}", "methods": ["GET"]}]}, "pod": {"labels": {"team": "x"}, "runAsUser": 7,
    "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]}})"));
  ASSERT_TRUE(function) << toString(function.error());
  const FunctionSpec& spec = function->spec;
  EXPECT_EQ(spec.runtime, Runtime::native);
  EXPECT_EQ(spec.env[1].name, "B");
  EXPECT_TRUE(spec.config[0].env);
  EXPECT_EQ(spec.resources.memory.value, 1048576000);
  EXPECT_EQ(spec.resources.cpu.value, 2000);
  EXPECT_EQ(spec.resources.ephemeral->value, 1LL << 30);
  EXPECT_EQ(spec.http.visibility, Visibility::cluster);
  EXPECT_EQ(spec.http.routes[0].methods[0], "GET");
  EXPECT_EQ(spec.pod.tolerations[0].operator_, "Exists");
  EXPECT_EQ(spec.pod.runAsUser, 7);
}

TEST(ReadFunction, TellsAnEmptyEgressFromNone) {
  EXPECT_FALSE(readFunction(smallFunction())->spec.network.egress);
  for (const char* spec : {R"({"network": {"egress": []}})", R"({"network": {"egress": [{"podLabels": {"a": "b"}}]}})"}) {
    auto function = readFunction(functionWith(spec));
    ASSERT_TRUE(function) << toString(function.error());
    ASSERT_TRUE(function->spec.network.egress);
    EXPECT_EQ(readFunction(write(*function))->spec.network.egress->size(), function->spec.network.egress->size());
  }
}

struct Bad {
  const char* spec;  ///< members set in a valid spec
  const char* path;
  const char* message;  ///< a part of it
};

class ReadFunctionRefuses : public testing::TestWithParam<Bad> {};

TEST_P(ReadFunctionRefuses, WithThePathAndWhatIsAllowed) {
  FieldErrors errors = errorsOf(functionWith(GetParam().spec));
  ASSERT_THAT(errors, SizeIs(1)) << GetParam().spec << " -> " << toString(errors);
  EXPECT_EQ(errors[0].path, GetParam().path);
  EXPECT_THAT(errors[0].message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, ReadFunctionRefuses,
    testing::Values(
        Bad{R"({"image": ""})", "spec.image", "must not be empty"}, Bad{R"({"image": null})", "spec.image", "got nothing"},
        Bad{R"({"image": "a b"})", "spec.image", "without spaces"}, Bad{R"({"runtime": "java"})", "spec.runtime", "native, http, exec"},
        Bad{R"({"runtime": 1})", "spec.runtime", "(got 1)"}, Bad{R"({"handler": []})", "spec.handler", "at least one"},
        Bad{R"({"handler": "./run"})", "spec.handler", "must be a list"},
        Bad{R"({"handler": ["a", 1]})", "spec.handler[1]", "put it in quotes"},
        Bad{R"({"handler": [""]})", "spec.handler", "must start with"},
        Bad{R"({"runtime": "native", "handler": ["a", "b", "c"]})", "spec.handler", "[library, function]"},
        Bad{R"({"env": [{"name": "A"}, {"name": "B"}, {"name": 3}]})", "spec.env[2].name", "must be a string"},
        Bad{R"({"env": [{"value": "x"}]})", "spec.env[0].name", "required"},
        Bad{R"({"env": [{"name": "A"}, {"name": "A"}]})", "spec.env[1].name", "already in item 0"},
        Bad{R"({"env": [{"name": "1A"}]})", "spec.env[0].name", "without a digit first"},
        Bad{R"({"env": [{"name": "PILOTLIGHT_X"}]})", "spec.env[0].name", "reserved"}, Bad{R"({"env": {}})", "spec.env", "must be a list"},
        Bad{R"({"env": null})", "spec.env", "got nothing"}, Bad{R"({"secrets": [{"name": "db"}]})", "spec.secrets[0].path", "required"},
        Bad{R"({"secrets": [{"name": "db", "path": "x"}]})", "spec.secrets[0].path", "absolute path"},
        Bad{R"({"secrets": [{"name": "db", "path": "/a/../../b"}]})", "spec.secrets[0].path", "absolute path"},
        Bad{R"({"config": [{"name": "c", "path": "/a", "env": true}]})", "spec.config[0].path", "env: true"},
        Bad{R"({"secrets": [{"name": "c", "path": "/a", "onChange": "restart"}]})", "spec.secrets[0].onChange", "none, signal"},
        Bad{R"({"config": [{"name": "c", "env": true, "onChange": "signal"}]})", "spec.config[0].onChange", "replaces the replicas"},
        Bad{R"({"env": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]})", "spec.env[0].valueFrom",
            "leave one of the two out"},
        Bad{R"({"env": [{"name": "A", "valueFrom": {}}]})", "spec.env[0].valueFrom.secretKeyRef", "one of the two"},
        Bad{R"({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}, "configMapKeyRef": {"name": "b", "key": "k"}}}]})",
            "spec.env[0].valueFrom.secretKeyRef", "one of the two"},
        Bad{R"({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db"}}}]})", "spec.env[0].valueFrom.secretKeyRef.key",
            "required"},
        Bad{R"({"runtime": "exec", "secrets": [{"name": "c", "path": "/a", "onChange": "signal"}]})", "spec.secrets", "anew"},
        Bad{R"({"runtime": "exec", "config": [{"name": "c", "path": "/a", "onChange": "signal"}]})", "spec.config", "anew"}));

INSTANTIATE_TEST_SUITE_P(
    Network, ReadFunctionRefuses,
    testing::Values(Bad{R"({"network": {"egress": [{}]}})", "spec.network.egress[0].cidr", "namespaceLabels, podLabels"},
                    Bad{R"({"network": {"egress": [{"ports": [{"port": 443}]}]}})", "spec.network.egress[0].cidr", "must be given"},
                    Bad{R"({"network": {"egress": [{"cidr": "10.0.0.0/8", "podLabels": {"a": "b"}}]}})", "spec.network.egress[0].cidr",
                        "an address range or pods"},
                    Bad{R"({"network": {"egress": [{"cidr": "db.example.com"}]}})", "spec.network.egress[0].cidr", "know no host names"},
                    Bad{R"({"network": {"egress": [{"host": "db.example.com"}]}})", "spec.network.egress[0].host", "unknown field"},
                    Bad{R"({"network": {"egress": [{"cidr": "10.0.0.0/8", "ports": [{"port": 0}]}]}})",
                        "spec.network.egress[0].ports[0].port", "between 1 and 65535"},
                    Bad{R"({"network": {"egress": [{"cidr": "10.0.0.0/8", "ports": [{"port": 1, "protocol": "tcp"}]}]}})",
                        "spec.network.egress[0].ports[0].protocol", "TCP, UDP, SCTP"},
                    Bad{R"({"pod": {"serviceAccountToken": true}})", "spec.pod.serviceAccountToken", "needs serviceAccountName"}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, ReadFunctionRefuses,
    testing::Values(
        Bad{R"({"timeout": "1ms"})", "spec.timeout", "between 10ms and 24h"}, Bad{R"({"timeout": 30})", "spec.timeout", "such as"},
        Bad{R"({"timeout": "25h"})", "spec.timeout", "24h"}, Bad{R"({"resources": {"memory": "1MB"}})", "spec.resources.memory", "512Mi"},
        Bad{R"({"resources": {"memory": "1Ki"}})", "spec.resources.memory", "between 4Mi"},
        Bad{R"({"resources": {"cpu": 0.5}})", "spec.resources.cpu", "500m"}, Bad{R"({"resources": []})", "spec.resources", "an object"},
        Bad{R"({"concurrency": {"perReplica": 0}})", "spec.concurrency.perReplica", "between 1 and 1000 (got 0)"},
        Bad{R"({"concurrency": {"target": 101}})", "spec.concurrency.target", "between 1 and 100"},
        Bad{R"({"concurrency": {"reserved": -1}})", "spec.concurrency.reserved", "between 0 and 1000000 (got -1)"},
        Bad{R"({"concurrency": {"queue": {"requests": 1000001}}})", "spec.concurrency.queue.requests", "between 0"},
        Bad{R"({"replicas": -1})", "spec.replicas", "between 0 and 1000"}, Bad{R"({"replicas": 1.5})", "spec.replicas", "whole number"},
        Bad{R"({"replicas": "1"})", "spec.replicas", "whole number"}, Bad{R"({"replicas": 99999999999})", "spec.replicas", "between"},
        Bad{R"({"replicas": 18446744073709551615})", "spec.replicas", "between"},
        Bad{R"({"scale": {"min": -1}})", "spec.scale.min", "(got -1)"},
        Bad{R"({"scale": {"min": 5, "max": 4}})", "spec.scale.min", "scale.max"},
        Bad{R"({"scale": {"min": 2, "parked": 3, "max": 4}})", "spec.scale.parked", "scale.max less scale.min"},
        Bad{R"({"scale": {"parked": -1}})", "spec.scale.parked", "(got -1)"},
        Bad{R"({"replicas": 1, "scale": {"parked": 1}})", "spec.scale.parked", "leave one of the two out"},
        Bad{R"({"scale": {"initial": 5, "max": 4}})", "spec.scale.initial", "scale.max"},
        Bad{R"({"scale": {"toZeroAfter": "500ms"}})", "spec.scale.toZeroAfter", "between 1s"},
        Bad{R"({"scale": {"metrics": []}})", "spec.scale.metrics", "at least one"},
        Bad{R"({"scale": {"metrics": [{"type": "cpu"}]}})", "spec.scale.metrics[0].type", "must be concurrency"},
        Bad{R"({"scale": {"mni": 1}})", "spec.scale.mni", "did you mean 'min'?"},
        Bad{R"({"colour": 1})", "spec.colour", "allowed: concurrency"}));

INSTANTIATE_TEST_SUITE_P(
    HttpAndPod, ReadFunctionRefuses,
    testing::Values(Bad{R"({"http": {"hosts": ["API.example"]}})", "spec.http.hosts[0]", "lower case"},
                    Bad{R"({"http": {"hosts": ["a", "a"]}})", "spec.http.hosts[1]", "already"},
                    Bad{R"({"http": {"routes": [{"path": "users"}]}})", "spec.http.routes[0].path", "start with '/'"},
                    Bad{R"({"http": {"routes": [{"path": "/{a}/{a}"}]}})", "spec.http.routes[0].path", "twice"},
                    Bad{R"({"http": {"routes": [{"path": "/", "methods": ["get"]}]}})", "spec.http.routes[0].methods[0]", "upper case"},
                    Bad{R"({"http": {"visibility": "private"}})", "spec.http.visibility", "public, cluster"},
                    Bad{R"({"http": {"protocol": "h2"}})", "spec.http.protocol", "http1, h2c"},
                    Bad{R"({"runtime": "native", "http": {"protocol": "h2c"}})", "spec.http.protocol", "runtime http only"},
                    Bad{R"({"runtime": "exec", "http": {"protocol": "h2c"}})", "spec.http.protocol", "leave it out"},
                    Bad{R"({"http": {"limits": {"headers": 125}}})", "spec.http.limits.headers", "between 1 and 124"},
                    Bad{R"({"http": {"limits": {"headerBytes": "1000"}}})", "spec.http.limits.headerBytes", "between 1Ki and 12Ki"},
                    Bad{R"({"http": {"limits": {"url": "9Ki"}}})", "spec.http.limits.url", "between 64 and 8Ki"},
                    Bad{R"({"http": {"limits": {"body": -1}}})", "spec.http.limits.body", "such as"},
                    Bad{R"({"http": {"idleTimeout": "0s"}})", "spec.http.idleTimeout", "between 10ms and 24h"},
                    Bad{R"({"pod": {"labels": {"a b": "c"}}})", "spec.pod.labels[a b]", "the key"},
                    Bad{R"({"pod": {"labels": {"a": 1}}})", "spec.pod.labels[a]", "put it in quotes"},
                    Bad{R"({"pod": {"labels": {"pilotlight.dev/function": "x"}}})", "spec.pod.labels", "reserved"},
                    Bad{R"({"pod": {"labels": []}})", "spec.pod.labels", "an object"},
                    Bad{R"({"pod": {"port": 0}})", "spec.pod.port", "between 1 and 65535"},
                    Bad{R"({"runtime": "exec", "pod": {"port": 80}})", "spec.pod.port", "runtime http only"},
                    Bad{R"({"runtime": "exec", "pod": {"readyPath": "/"}})", "spec.pod.readyPath", "runtime http only"},
                    Bad{R"({"pod": {"tolerations": [{"operator": "Is"}]}})", "spec.pod.tolerations[0].operator", "Equal, Exists"},
                    Bad{R"({"pod": {"tolerations": [{"value": "v"}]}})", "spec.pod.tolerations[0].key", "required"},
                    Bad{R"({"pod": {"tolerations": [{"operator": "Exists", "value": "v"}]}})", "spec.pod.tolerations[0].value",
                        "leave it out"}));

TEST(ReadFunction, CollectsEveryError) {
  FieldErrors errors =
      errorsOf(functionWith(R"({"image": "", "timeout": "x", "scale": {"min": -1, "max": 0}, "env": [{"name": ""}], "zzz": 1})"));
  std::vector<std::string> paths;
  for (const FieldError& error : errors) paths.push_back(error.path);
  EXPECT_THAT(paths, testing::UnorderedElementsAre("spec.image", "spec.timeout", "spec.scale.min", "spec.scale.max", "spec.env[0].name",
                                                   "spec.zzz"));
}

TEST(ReadFunction, BoundsTheNumberOfErrors) {
  Json function = smallFunction();
  for (int i = 0; i < 1000; ++i) function["spec"]["x" + std::to_string(i)] = i;
  EXPECT_THAT(errorsOf(function), SizeIs(testing::Le(100U)));
}

TEST(ReadFunction, ChecksTheHeaderAndTheName) {
  auto with = [](const char* field, const Json& value) {
    Json function = smallFunction();
    function[field] = value;
    return toString(errorsOf(function));
  };
  EXPECT_EQ(with("apiVersion", "v1"), "apiVersion: must be pilotlight.dev/v1alpha1");
  EXPECT_EQ(with("kind", "Pod"), "kind: must be Function");
  EXPECT_EQ(with("metadata", Json::object()), "metadata.name: required");
  EXPECT_THAT(with("metadata", {{"name", "Orders"}}), HasSubstr("metadata.name: must be lower-case"));
  EXPECT_THAT(with("metadata", {{"name", std::string(53, 'a')}}), HasSubstr("at most 52"));
  EXPECT_EQ(with("metadata", {{"name", std::string(52, 'a')}}), "");
  EXPECT_THAT(with("metadata", {{"name", 1}}), HasSubstr("metadata.name: must be a string"));
  EXPECT_THAT(with("metadata", "x"), HasSubstr("metadata: must be an object"));
  EXPECT_THAT(with("spec", Json::array()), HasSubstr("spec: must be an object"));
  EXPECT_THAT(with("spce", 1), HasSubstr("did you mean 'spec'?"));
  Json bare = smallFunction();
  bare.erase("spec");
  bare.erase("metadata");
  EXPECT_EQ(toString(errorsOf(bare)), "metadata: required; spec: required");
  EXPECT_FALSE(readFunction(Json::array()));
  EXPECT_FALSE(readFunction(Json()));
}

TEST(ReadFunction, IsLenientAboutMetadataAndStatus) {
  Json function = smallFunction();
  function["metadata"]["managedFields"] = Json::array();
  function["metadata"]["creationTimestamp"] = nullptr;
  function["status"] = {{"replicas", 3}, {"ofTheFuture", true}, {"conditions", Json::array({{{"type", "Ready"}, {"status", "Maybe"}}})}};
  auto read = readFunction(function);
  ASSERT_TRUE(read) << toString(read.error());
  EXPECT_EQ(read->status.replicas, 3);
  EXPECT_EQ(read->status.conditions[0].type, "Ready");
  function["status"]["replicas"] = "three";
  EXPECT_THAT(toString(errorsOf(function)), HasSubstr("status.replicas: must be a whole number"));
}

TEST(ReadFunctionVersion, NeedsWhatRuns) {
  EXPECT_TRUE(readFunctionVersion(smallVersion()));
  Json version = smallVersion();
  version["spec"].erase("number");
  EXPECT_EQ(toString(readFunctionVersion(version).error()), "spec.number: required");
}

TEST(ReadFunctionRoute, NeedsWeightsThatSumTo100) {
  EXPECT_TRUE(readFunctionRoute(smallRoute()));
  Json route = smallRoute();
  route["spec"]["backends"] = {{{"version", 1}, {"weight", 90}}, {{"version", 2}, {"weight", 10}}};
  EXPECT_TRUE(readFunctionRoute(route));
  route["spec"]["backends"][1]["weight"] = 11;
  EXPECT_EQ(toString(readFunctionRoute(route).error()), "spec.backends: must have weights that sum to 100");
  route["spec"]["backends"][1]["weight"] = 101;
  EXPECT_THAT(toString(readFunctionRoute(route).error()), HasSubstr("spec.backends[1].weight: must be between 0 and 100"));
}

}  // namespace
}  // namespace pilotlight::api
