#include "core/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "functions.h"

namespace pilotlight::core {
namespace {

using testing::clusterOptions;
using ::testing::ElementsAre;
using testing::function;
using testing::localOptions;

const Json& container(const Json& deployment) {
  return deployment["spec"]["template"]["spec"]["containers"][0];
}

Json envOf(const Json& deployment) {
  Json byName = Json::object();
  for (const auto& entry : container(deployment)["env"]) {
    EXPECT_FALSE(byName.contains(entry["name"].get<std::string>())) << "twice: " << entry["name"];
    byName[entry["name"].get<std::string>()] = entry;
  }
  return byName;
}

Json deploymentOf(const api::Function& f, const RenderOptions& options = clusterOptions()) {
  return renderDeployment(f, renderVersion(f, 7), options);
}

TEST(RenderDeployment, GivesItsPodsTheKeyToSignWithAndTellsWhichItIs) {
  auto f = function();
  f.spec.env.push_back({"PILOTLIGHT_CALL_HOME_KEY", "mine"});
  const Json deployment = renderDeployment(f, renderVersion(f, 7), clusterOptions(), "the-key");
  EXPECT_EQ(envOf(deployment)["PILOTLIGHT_CALL_HOME_KEY"]["value"], "the-key");
  EXPECT_EQ(callHomeKeyOf(deployment), "the-key");
  EXPECT_EQ(callHomeKeyOf(Json::object()), "");
}

TEST(RenderDeployment, LetsThePodsStatusHaveTheHandlersLastWords) {
  EXPECT_EQ(container(deploymentOf(function()))["terminationMessagePolicy"], "FallbackToLogsOnError");
}

TEST(RenderVersion, IsNamedByFunctionAndNumber) {
  const auto version = renderVersion(function(), 7);
  EXPECT_EQ(version.metadata.name, "orders-00007");
  EXPECT_EQ(version.metadata.namespace_, "shop");
  EXPECT_EQ(version.metadata.labels.at(api::kLabelVersion), "7");
  EXPECT_EQ(version.spec.number, 7);
}

TEST(RenderVersion, IsOwnedByItsFunction) {
  const auto owners = renderVersion(function(), 1).metadata.ownerReferences;
  ASSERT_EQ(owners.size(), 1U);
  EXPECT_EQ(owners[0].uid, "uid-orders");
  EXPECT_TRUE(owners[0].controller);
}

TEST(RenderVersion, SameContentHasTheSameHashWhateverTheNumber) {
  EXPECT_EQ(renderVersion(function(), 1).spec.hash, renderVersion(function(), 9).spec.hash);
}

TEST(RenderVersion, HashChangesWithWhatRunsAndOnlyWithThat) {
  struct Case {
    const char* name;
    void (*change)(api::Function&);
    bool newVersion;
  };
  const Case cases[]{
      {"image", [](api::Function& f) { f.spec.image = "other"; }, true},
      {"runtime", [](api::Function& f) { f.spec.runtime = api::Runtime::exec; }, true},
      {"handler", [](api::Function& f) { f.spec.handler.push_back("-v"); }, true},
      {"env", [](api::Function& f) { f.spec.env.push_back({"A", "1"}); }, true},
      {"secret", [](api::Function& f) { f.spec.secrets.push_back({.name = "db", .path = "/db"}); }, true},
      {"memory", [](api::Function& f) { f.spec.resources.memory.value *= 2; }, true},
      {"timeout", [](api::Function& f) { f.spec.timeout *= 2; }, true},
      {"perReplica", [](api::Function& f) { f.spec.concurrency.perReplica = 1; }, true},
      {"protocol", [](api::Function& f) { f.spec.http.protocol = api::Protocol::h2c; }, true},
      {"pod", [](api::Function& f) { f.spec.pod.nodeSelector["disk"] = "ssd"; }, true},
      {"code", [](api::Function& f) { f.metadata.annotations[api::kAnnotationCodeRevision] = "2"; }, true},
      {"routes", [](api::Function& f) { f.spec.http.routes.push_back({"/a", {}}); }, false},
      {"hosts", [](api::Function& f) { f.spec.http.hosts = {"a.example"}; }, false},
      {"queue", [](api::Function& f) { f.spec.concurrency.queue.requests = 1; }, false},
      {"reserved", [](api::Function& f) { f.spec.concurrency.reserved = 5; }, false},
      {"limits", [](api::Function& f) { f.spec.http.limits = {.headers = 1, .headerBytes = {1024}, .url = {64}, .body = {0}}; }, false},
      {"idleTimeout", [](api::Function& f) { f.spec.http.idleTimeout *= 2; }, false},
      {"target", [](api::Function& f) { f.spec.concurrency.target = 50; }, false},
      {"scale", [](api::Function& f) { f.spec.scale.max = 3; }, false},
      {"pinned", [](api::Function& f) { f.spec.replicas = 3; }, false},
      {"generation", [](api::Function& f) { f.metadata.generation = 5; }, false},
  };
  const std::string before = renderVersion(function(), 1).spec.hash;
  for (const auto& each : cases) {
    auto changed = function();
    each.change(changed);
    EXPECT_EQ(renderVersion(changed, 1).spec.hash != before, each.newVersion) << each.name;
  }
}

TEST(RenderVersion, HashSurvivesStorage) {
  auto f = function();
  f.spec.resources.ephemeral = api::Bytes{1 << 30};
  f.spec.pod.runAsUser = 1000;
  const auto version = renderVersion(f, 3);
  const auto read = api::readFunctionVersion(api::write(version));
  ASSERT_TRUE(read) << api::toString(read.error());
  EXPECT_EQ(contentHash(read->spec), version.spec.hash);
}

TEST(RenderRoute, HasDefaultHostAndTheServicesNamesInACluster) {
  EXPECT_THAT(hostsOf(function(), clusterOptions()),
              ElementsAre("orders.shop.example.com", "orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local"));
}

TEST(RenderRoute, GivenHostsReplaceTheDefaultAndAreLowerCase) {
  auto f = function();
  f.spec.http.hosts = {"API.Example.com", "api.example.com"};
  EXPECT_EQ(hostsOf(f, clusterOptions()).front(), "api.example.com");
  EXPECT_THAT(hostsOf(f, localOptions()), ElementsAre("api.example.com"));
}

TEST(RenderRoute, LocalPathLeavesOutTheDefaultNamespaceOnly) {
  auto f = function();
  EXPECT_EQ(localPathOf(f, localOptions()), "/shop/orders");
  f.metadata.namespace_ = "default";
  EXPECT_EQ(localPathOf(f, localOptions()), "/orders");
  EXPECT_EQ(localPathOf(f, clusterOptions()), "");
  EXPECT_EQ(urlOf(f, localOptions()), "http://127.0.0.1:8080/orders");
  auto hidden = f;
  hidden.spec.http.visibility = api::Visibility::cluster;
  EXPECT_EQ(urlOf(hidden, localOptions()), "http://127.0.0.1:8081/orders");
  EXPECT_EQ(urlOf(f, clusterOptions()), "http://orders.default.example.com");
  EXPECT_EQ(urlOf(hidden, clusterOptions()), "http://orders.default");
  hidden.spec.http.hosts = {"api.example.com"};
  EXPECT_EQ(urlOf(hidden, clusterOptions()), "http://orders.default") << "that host leads to the public listener";
}

TEST(RenderRoute, CarriesWhatGatewaysNeedAndIsValid) {
  auto f = function();
  f.spec.http.routes = {{"/users/{id}", {"GET"}}};
  f.spec.http.retry = api::Retry::idempotent;
  f.spec.concurrency.queue.requests = 5;
  f.spec.concurrency.reserved = 0;
  f.spec.http.limits = {.headers = 10, .headerBytes = {2048}, .url = {100}, .body = {0}};
  f.spec.http.idleTimeout = std::chrono::seconds(7);
  f.spec.http.protocol = api::Protocol::h2c;
  const auto route = renderRoute(f, {backendOf(renderVersion(f, 2), 100)}, clusterOptions());
  EXPECT_EQ(route.metadata.name, "orders");
  EXPECT_EQ(route.spec.created, f.metadata.creationTimestamp);
  EXPECT_EQ(route.spec.functionGeneration, 1);
  EXPECT_EQ(route.spec.queue.requests, 5);
  ASSERT_EQ(route.spec.backends.size(), 1U);
  EXPECT_EQ(route.spec.backends[0].deployment, "orders-00002");
  EXPECT_EQ(route.spec.backends[0].perReplica, 80);
  EXPECT_EQ(route.spec.backends[0].protocol, api::Protocol::h2c);
  EXPECT_EQ(route.spec.reserved, 0);
  EXPECT_EQ(route.spec.limits.headers, 10);
  EXPECT_EQ(route.spec.limits.headerBytes.value, 2048);
  EXPECT_EQ(route.spec.limits.url.value, 100);
  EXPECT_EQ(route.spec.limits.body.value, 0);
  EXPECT_EQ(route.spec.idleTimeout, std::chrono::seconds(7));
  const auto read = api::readFunctionRoute(api::write(route));
  EXPECT_TRUE(read) << api::toString(read.error());
}

TEST(RenderRoute, KeepsAnOldVersionsProtocolWhileTheFunctionHasAnother) {
  auto f = function();
  const auto old = renderVersion(f, 1);
  f.spec.http.protocol = api::Protocol::h2c;
  const auto route = renderRoute(f, {backendOf(old, 100)}, clusterOptions());
  EXPECT_EQ(route.spec.backends[0].protocol, api::Protocol::http1);
}

TEST(RenderDeployment, NeverSaysHowManyReplicas) {
  EXPECT_FALSE(deploymentOf(function())["spec"].contains("replicas"));
}

TEST(RenderDeployment, IsMadeAtZeroWithAllThatItRuns) {
  const Json rendered = deploymentOf(function());
  const Json made = deploymentToCreate(rendered);
  EXPECT_EQ(made["spec"]["replicas"], 0);
  EXPECT_EQ(made["spec"]["template"], rendered["spec"]["template"]);
}

TEST(RenderDeployment, ReplacesWhatItRendersAndKeepsWhatIsOthers) {
  const Json rendered = deploymentOf(function());
  Json existing = deploymentToCreate(rendered);
  existing["metadata"]["resourceVersion"] = "7";
  existing["metadata"]["annotations"]["example.com/theirs"] = "kept";
  existing["spec"]["replicas"] = 3;
  existing["spec"]["minReadySeconds"] = 4;
  existing["spec"]["template"]["spec"]["nodeSelector"] = {{"no", "longer-rendered"}};
  existing["status"] = {{"replicas", 3}};
  const Json updated = deploymentToUpdate(existing, rendered);
  EXPECT_EQ(updated["metadata"]["resourceVersion"], "7");
  EXPECT_EQ(updated["metadata"]["annotations"]["example.com/theirs"], "kept");
  EXPECT_EQ(updated["metadata"]["annotations"][kAnnotationRendered], rendered["metadata"]["annotations"][kAnnotationRendered]);
  EXPECT_EQ(updated["spec"]["replicas"], 3);
  EXPECT_EQ(updated["spec"]["minReadySeconds"], 4);
  EXPECT_EQ(updated["spec"]["template"], rendered["spec"]["template"]);
  EXPECT_FALSE(updated.contains("status"));
}

TEST(RenderDeployment, RendersTheSameTwice) {
  EXPECT_EQ(deploymentOf(function()).dump(), deploymentOf(function()).dump());
}

TEST(RenderDeployment, SelectsItsPodsByFunctionAndVersion) {
  auto f = function();
  f.spec.pod.labels = {{"team", "checkout"}, {api::kLabelFunction, "other"}};
  const Json spec = deploymentOf(f)["spec"];
  const Json labels = spec["template"]["metadata"]["labels"];
  EXPECT_EQ(spec["selector"]["matchLabels"], (Json{{api::kLabelFunction, "orders"}, {api::kLabelVersion, "7"}}));
  EXPECT_EQ(labels[api::kLabelFunction], "orders") << "the user's labels don't break the selector";
  EXPECT_EQ(labels["team"], "checkout");
  EXPECT_EQ(labels[api::kLabelManagedBy], "pilotlight");
}

TEST(RenderDeployment, RunsTheShimWithTheHandlerAsItsArguments) {
  const Json deployment = deploymentOf(function());
  EXPECT_EQ(container(deployment)["command"], Json::array({kShimPath}));
  EXPECT_EQ(container(deployment)["args"], Json::array({"/server", "--fast"}));
}

TEST(RenderDeployment, TellsTheShimItsContract) {
  auto f = function();
  f.spec.timeout = std::chrono::seconds(5);
  f.spec.pod.readyPath = "/up";
  const Json env = envOf(deploymentOf(f));
  EXPECT_EQ(env["PILOTLIGHT_FUNCTION"]["value"], "orders");
  EXPECT_EQ(env["PILOTLIGHT_NAMESPACE"]["value"], "shop");
  EXPECT_EQ(env["PILOTLIGHT_VERSION"]["value"], "7");
  EXPECT_EQ(env["PILOTLIGHT_RUNTIME"]["value"], "http");
  EXPECT_EQ(env["PILOTLIGHT_CONCURRENCY"]["value"], "80");
  EXPECT_EQ(env["PILOTLIGHT_TIMEOUT_MS"]["value"], "5000");
  EXPECT_EQ(env["PILOTLIGHT_GRACE_MS"]["value"], "15000");
  EXPECT_EQ(env["PILOTLIGHT_GATEWAYS"]["value"], "10.0.0.1:8081");
  EXPECT_EQ(env["PILOTLIGHT_READY_PATH"]["value"], "/up");
  EXPECT_EQ(env["PILOTLIGHT_POD_UID"]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.uid");
  EXPECT_EQ(env["PILOTLIGHT_POD_IPS"]["valueFrom"]["fieldRef"]["fieldPath"], "status.podIPs");
  EXPECT_FALSE(env.contains("PILOTLIGHT_CALL_HOME_KEY"));
  EXPECT_EQ(env["PILOTLIGHT_POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
  EXPECT_EQ(env["PORT"]["value"], "8080");
  EXPECT_EQ(env["PILOTLIGHT_PROTOCOL"]["value"], "http1");
  f.spec.http.protocol = api::Protocol::h2c;
  EXPECT_EQ(envOf(deploymentOf(f))["PILOTLIGHT_PROTOCOL"]["value"], "h2c");
}

TEST(RenderDeployment, ChoosesNoPortInLocalModeUnlessAsked) {
  auto f = function();
  EXPECT_FALSE(envOf(deploymentOf(f, localOptions())).contains("PORT"));
  f.spec.pod.port = 9000;
  EXPECT_EQ(envOf(deploymentOf(f, localOptions()))["PORT"]["value"], "9000");
}

TEST(RenderDeployment, UsersVariablesAreThereButCannotBreakTheContract) {
  auto f = function();
  f.spec.env = {{"STAGE", "production"}, {"TMPDIR", "/elsewhere"}, {"PILOTLIGHT_CONCURRENCY", "1000000"}};
  const Json env = envOf(deploymentOf(f));
  EXPECT_EQ(env["STAGE"]["value"], "production");
  EXPECT_EQ(env["TMPDIR"]["value"], "/elsewhere");
  EXPECT_EQ(env["PILOTLIGHT_CONCURRENCY"]["value"], "80");
}

TEST(RenderDeployment, MountsSecretsAndConfigOrTakesThemAsVariables) {
  auto f = function();
  f.spec.secrets = {{.name = "db", .path = "/run/db"}, {.name = "keys", .path = "", .env = true}};
  f.spec.config = {{.name = "settings", .path = "/etc/settings"}, {.name = "flags", .path = "", .env = true}};
  const Json deployment = deploymentOf(f, localOptions());
  const Json& pod = deployment["spec"]["template"]["spec"];
  ASSERT_EQ(pod["volumes"].size(), 2U);
  EXPECT_EQ(pod["volumes"][0]["secret"]["secretName"], "db");
  EXPECT_EQ(pod["volumes"][1]["configMap"]["name"], "settings");
  EXPECT_EQ(container(deployment)["volumeMounts"][0]["mountPath"], "/run/db");
  EXPECT_EQ(container(deployment)["volumeMounts"][0]["readOnly"], true);
  EXPECT_EQ(container(deployment)["volumeMounts"][1]["name"], pod["volumes"][1]["name"]);
  EXPECT_EQ(container(deployment)["envFrom"][0]["secretRef"]["name"], "keys");
  EXPECT_EQ(container(deployment)["envFrom"][1]["configMapRef"]["name"], "flags");
}

TEST(RenderDeployment, TakesSingleKeysAsVariables) {
  auto f = function();
  f.spec.env = {{.name = "PASSWORD", .value = "", .valueFrom = api::EnvVarSource{.secretKeyRef = api::KeyRef{"db", "password"}}},
                {.name = "MODE", .valueFrom = api::EnvVarSource{.configMapKeyRef = api::KeyRef{"flags", "mode"}}}};
  const Json env = envOf(deploymentOf(f, localOptions()));
  EXPECT_EQ(env["PASSWORD"], Json::parse(R"({"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}})"));
  EXPECT_EQ(env["MODE"], Json::parse(R"({"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "mode"}}})"));
}

TEST(RenderDeployment, AsksForMemoryInFullAndDoesNotThrottleCpu) {
  auto f = function();
  f.spec.resources = {.memory = {256LL << 20}, .cpu = {500}, .ephemeral = api::Bytes{1LL << 30}};
  const Json deployment = deploymentOf(f, localOptions());
  const Json& resources = container(deployment)["resources"];
  EXPECT_EQ(resources["requests"], (Json{{"cpu", "500m"}, {"memory", "256Mi"}, {"ephemeral-storage", "1Gi"}}));
  EXPECT_EQ(resources["limits"], (Json{{"memory", "256Mi"}, {"ephemeral-storage", "1Gi"}}));
  EXPECT_EQ(deployment["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]["sizeLimit"], "1Gi");
  EXPECT_EQ(container(deployment)["volumeMounts"][0]["mountPath"], "/tmp");
  EXPECT_EQ(envOf(deployment)["TMPDIR"]["value"], "/tmp");
}

TEST(RenderResources, AParkedPodRequestsNextToNothingAndKeepsItsLimits) {
  const api::Resources full{.memory = {256LL << 20}, .cpu = {500}, .ephemeral = api::Bytes{1LL << 30}};
  const Json parked = renderResources(full, true);
  EXPECT_EQ(parked["requests"], (Json{{"cpu", "1m"}, {"memory", "8Mi"}, {"ephemeral-storage", "1Gi"}}));
  EXPECT_EQ(parked["limits"], renderResources(full)["limits"]) << "with them the pod's QoS class, which can't change";
  EXPECT_EQ(renderResources({.memory = {4LL << 20}, .cpu = {1}, .ephemeral = {}}, true)["requests"]["memory"], "4Mi") << "never more";
}

TEST(RenderDeployment, HasNoVolumeWhenNothingAsksForOne) {
  const Json deployment = deploymentOf(function(), localOptions());
  EXPECT_FALSE(deployment["spec"]["template"]["spec"].contains("volumes"));
  EXPECT_EQ(envOf(deployment)["TMPDIR"]["value"], "/dev/shm");
}

TEST(RenderDeployment, IsLockedDown) {
  const Json deployment = deploymentOf(function());
  const Json& pod = deployment["spec"]["template"]["spec"];
  EXPECT_EQ(pod["securityContext"]["runAsNonRoot"], true);
  EXPECT_EQ(pod["securityContext"]["runAsUser"], 65532);
  EXPECT_EQ(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
  EXPECT_EQ(pod["automountServiceAccountToken"], false);
  EXPECT_EQ(pod["enableServiceLinks"], false);
  const Json& security = container(deployment)["securityContext"];
  EXPECT_EQ(security["readOnlyRootFilesystem"], true);
  EXPECT_EQ(security["allowPrivilegeEscalation"], false);
  EXPECT_EQ(security["capabilities"]["drop"], Json::array({"ALL"}));
}

TEST(RenderDeployment, LeavesTimeToDrain) {
  auto f = function();
  f.spec.timeout = std::chrono::milliseconds(2500);
  EXPECT_EQ(deploymentOf(f)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 18);
}

TEST(RenderDeployment, ProbesTheShim) {
  const Json deployment = deploymentOf(function());
  EXPECT_EQ(container(deployment)["readinessProbe"]["httpGet"]["path"], "/_pilotlight/readyz");
  EXPECT_EQ(container(deployment)["livenessProbe"]["httpGet"]["path"], "/_pilotlight/healthz");
  EXPECT_EQ(container(deployment)["ports"][0]["containerPort"], api::kShimPort);
}

TEST(RenderDeployment, HasTheEndOfTheLogKeptOfWhatCrashes) {
  EXPECT_EQ(container(deploymentOf(function()))["terminationMessagePolicy"], "FallbackToLogsOnError");
}

TEST(RenderDeployment, CopiesTheShimInUnlessItIsThere) {
  auto f = function();
  const Json copied = deploymentOf(f);
  EXPECT_EQ(copied["spec"]["template"]["spec"]["initContainers"][0]["image"], "pilotlight/shim:1");
  f.spec.pod.annotations[kAnnotationShimInImage] = "true";
  EXPECT_FALSE(deploymentOf(f)["spec"]["template"]["spec"].contains("initContainers"));
  EXPECT_FALSE(deploymentOf(f)["spec"]["template"]["spec"].contains("volumes"));
}

TEST(RenderDeployment, TakesThePodOptions) {
  auto f = function();
  f.spec.pod.nodeSelector = {{"disk", "ssd"}};
  f.spec.pod.tolerations = {{"gpu", "Exists", "", "NoSchedule"}};
  f.spec.pod.imagePullSecrets = {"pull"};
  f.spec.pod.serviceAccountName = "mine";
  f.spec.pod.runAsUser = 1000;
  f.spec.pod.annotations = {{"note", "x"}};
  f.metadata.annotations[api::kAnnotationWorkDir] = "/home/me/orders";
  const Json deployment = deploymentOf(f);
  const Json& pod = deployment["spec"]["template"]["spec"];
  EXPECT_EQ(pod["nodeSelector"]["disk"], "ssd");
  EXPECT_EQ(pod["tolerations"][0], (Json{{"key", "gpu"}, {"operator", "Exists"}, {"effect", "NoSchedule"}}));
  EXPECT_EQ(pod["imagePullSecrets"][0]["name"], "pull");
  EXPECT_EQ(pod["serviceAccountName"], "mine");
  EXPECT_EQ(pod["securityContext"]["runAsUser"], 1000);
  EXPECT_EQ(deployment["spec"]["template"]["metadata"]["annotations"]["note"], "x");
  EXPECT_EQ(deployment["spec"]["template"]["metadata"]["annotations"][api::kAnnotationWorkDir], "/home/me/orders");
}

TEST(RenderService, PointsAtTheGateways) {
  const Json service = renderService(function(), clusterOptions());
  EXPECT_EQ(service["metadata"]["name"], "orders");
  EXPECT_EQ(service["spec"]["type"], "ExternalName");
  EXPECT_EQ(service["spec"]["externalName"], clusterOptions().gatewayService);
  EXPECT_EQ(service["metadata"]["ownerReferences"][0]["uid"], "uid-orders");
}

TEST(RenderServiceAccount, HasNoTokenAndIsNotTheNamespacesOwn) {
  const auto account = renderServiceAccount(function("default"));
  EXPECT_EQ(account["automountServiceAccountToken"], false);
  EXPECT_NE(account["metadata"]["name"], "default");
}

}  // namespace
}  // namespace pilotlight::core
