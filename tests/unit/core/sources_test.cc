#include "core/sources.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "core/conditions.h"
#include "core/plan.h"
#include "functions.h"

namespace pilotlight::core {
namespace {

using testing::function;
using Sight = SourceView::Sight;

const Source kDb{SourceKind::secret, "db"}, kFlags{SourceKind::configMap, "flags"};

api::Function withVariables() {
  auto f = function();
  f.spec.secrets = {{.name = "db", .path = {}, .env = true}, {.name = "files", .path = "/files"}};
  f.spec.config = {{.name = "flags", .path = {}, .env = true}};
  return f;
}

std::string revisions(const SourceView& view, const std::string& before = "") {
  return envSourceRevisions(renderVersion(withVariables(), 1).spec, view, before);
}

SourceView seen(std::map<Source, std::string> revisions) {
  return {.sight = Sight::clear, .revisions = std::move(revisions)};
}

TEST(EnvSources, AreToldByNameAndRevision) {
  EXPECT_EQ(revisions(seen({{kDb, "u/1"}, {kFlags, "v/2"}})), R"({"ConfigMap flags":"v/2","Secret db":"u/1"})");
}

TEST(EnvSources, OfFilesNothingIsTold) {
  const Source files{SourceKind::secret, "files"};
  EXPECT_EQ(revisions(seen({{kDb, "u/1"}, {files, "w/3"}})), revisions(seen({{kDb, "u/1"}, {files, "w/4"}})));
  EXPECT_EQ(envSourceRevisions(renderVersion(function(), 1).spec, seen({{kDb, "u/1"}}), ""), "");
}

TEST(EnvSources, AChangeAndANewObjectOfTheSameNameAreSeen) {
  const std::string before = revisions(seen({{kDb, "u/1"}}));
  EXPECT_NE(revisions(seen({{kDb, "u/2"}}), before), before);
  EXPECT_NE(revisions(seen({{kDb, "x/1"}}), before), before);
}

TEST(EnvSources, WhatIsGoneOrOutOfSightReplacesNothing) {
  const std::string before = revisions(seen({{kDb, "u/1"}, {kFlags, "v/2"}}));
  EXPECT_EQ(revisions({.sight = Sight::none, .revisions = {}}, before), before);
  EXPECT_EQ(revisions({.sight = Sight::notYet, .revisions = {}}, before), before);
  EXPECT_EQ(revisions(seen({{kFlags, "v/2"}}), before), before);
  EXPECT_EQ(revisions({}, "no json"), "");
}

TEST(EnvSources, StandOnThePodTemplateOnly) {
  const auto f = withVariables();
  const auto version = renderVersion(f, 1);
  const Json with = renderDeployment(f, version, testing::clusterOptions(), "", "{}");
  EXPECT_EQ(with["spec"]["template"]["metadata"]["annotations"][kAnnotationEnvSources], "{}");
  EXPECT_FALSE(with["metadata"]["annotations"].contains(kAnnotationEnvSources));
  EXPECT_EQ(renderDeployment(f, version, testing::clusterOptions())["spec"]["template"]["metadata"].count("annotations"), 0U);
}

TEST(Sources, ASingleKeyAsAVariableIsOne) {
  api::Function f;
  f.spec.env = {{.name = "A", .valueFrom = api::EnvVarSource{.secretKeyRef = api::KeyRef{"db", "password"}}},
                {.name = "B", .value = "b"},
                {.name = "C", .valueFrom = api::EnvVarSource{.configMapKeyRef = api::KeyRef{"flags", "mode"}}}};
  EXPECT_EQ(sourcesOf(f.spec), (std::vector{kDb, kFlags}));
  EXPECT_EQ(envSourcesOf(renderVersion(f, 1).spec), (std::vector{kDb, kFlags}));
}

TEST(MissingSource, IsReadOutOfTheKubeletsMessages) {
  struct {
    const char* message;
    std::optional<Source> missing;
  } const cases[]{
      {R"(secret "db" not found)", kDb},
      {R"(configmap "flags" not found)", kFlags},
      {R"(MountVolume.SetUp failed for volume "secret-0" : secret "db" not found)", kDb},
      {R"(MountVolume.SetUp failed for volume "config-0" : configmap "flags" not found)", kFlags},
      {R"(MountVolume.SetUp failed for volume "secret-0" : failed to sync secret cache: timed out waiting for the condition)", {}},
      {R"(Back-off pulling image "db" not found)", {}},
      {"", {}},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(missingSource(each.message), each.missing) << each.message;
  }
}

TEST(MissingSource, IsKnownWithoutAPodWhereItMayBeSeen) {
  const auto sources = sourcesOf(withVariables().spec);
  EXPECT_EQ(missingSource(sources, seen({{kDb, "1"}, {kFlags, "1"}})), (Source{SourceKind::secret, "files"}));
  EXPECT_EQ(missingSource(sources, {.sight = Sight::notYet, .revisions = {}}), std::nullopt);
  EXPECT_EQ(missingSource(sources, {}), std::nullopt);
}

api::FunctionStatus statusWith(Observed observed) {
  return decide(observed, {}, std::chrono::system_clock::time_point{}).status;
}

api::Condition conditionOf(const api::FunctionStatus& status, const char* type) {
  const auto* found = findCondition(status.conditions, type);
  return found == nullptr ? api::Condition{} : *found;
}

Observed observe(api::Function f, SourceView view = {}) {
  Observed observed;
  observed.function = std::move(f);
  observed.sources = std::move(view);
  return observed;
}

TEST(SourceConditions, AMissingOneIsNamed) {
  const auto progress =
      conditionOf(statusWith(observe(withVariables(), seen({{kDb, "1"}, {{SourceKind::secret, "files"}, "1"}}))), "Progressing");
  EXPECT_EQ(progress.status, "False");
  EXPECT_EQ(progress.reason, "ConfigMapNotFound");
  EXPECT_EQ(progress.message, "ConfigMap flags, which spec.config names, is not there: create it in namespace shop");
}

TEST(SourceConditions, SoIsOneThatAPodWaitsForAndTheFunctionIsNotReadyForThat) {
  auto observed = observe(withVariables());
  observed.versions = {renderVersion(observed.function, 1)};
  observed.deployments = {{.name = "orders-00001", .version = 1, .replicas = 1}};
  observed.pods = {{.name = "p",
                    .version = 1,
                    .ready = false,
                    .deleting = false,
                    .problem = "FailedMount",
                    .problemMessage = R"(MountVolume.SetUp failed for volume "secret-1" : secret "files" not found)"}};
  auto status = statusWith(observed);
  EXPECT_EQ(conditionOf(status, "Progressing").reason, "SecretNotFound");
  EXPECT_EQ(conditionOf(status, "Progressing").message,
            "Secret files, which spec.secrets names, is not there: create it in namespace shop");
  observed.pods[0].problem.clear();
  observed.pods[0].problemMessage.clear();
  observed.pods[0].ready = true;
  EXPECT_EQ(conditionOf(statusWith(observed), "Progressing").status, "True");
}

TEST(SourceConditions, SayWhetherChangesOfVariablesAreSeen) {
  struct {
    Sight sight;
    const char* status;
    const char* reason;
  } const cases[]{{Sight::none, "False", "NotWatched"}, {Sight::notYet, "Unknown", "NotListedYet"}, {Sight::clear, "True", "Watched"}};
  for (const auto& each : cases) {
    const auto watched =
        conditionOf(statusWith(observe(withVariables(), {.sight = each.sight, .revisions = {}})), kConditionSourcesWatched);
    EXPECT_EQ(watched.status, each.status);
    EXPECT_EQ(watched.reason, each.reason);
  }
}

TEST(SourceConditions, AnOperatorThatStartsAnewKeepsWhatWasSaid) {
  auto observed = observe(withVariables(), seen({}));
  observed.function.status = statusWith(observed);
  observed.sources = {.sight = Sight::notYet, .revisions = {}};
  EXPECT_EQ(conditionOf(statusWith(observed), kConditionSourcesWatched).reason, "Watched");
}

TEST(SourceConditions, GoWithTheVariables) {
  auto observed = observe(withVariables());
  observed.function.status = statusWith(observed);
  ASSERT_EQ(conditionOf(observed.function.status, kConditionSourcesWatched).status, "False");
  observed.function.spec.secrets.clear();
  observed.function.spec.config.clear();
  EXPECT_EQ(conditionOf(statusWith(observed), kConditionSourcesWatched).status, "");
}

}  // namespace
}  // namespace pilotlight::core
