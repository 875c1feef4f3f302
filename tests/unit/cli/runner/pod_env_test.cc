#include "cli/local/pod_env.h"

#include "harness.h"

namespace pilotlight::local {
namespace {

using kube::Json;
using testing::readFile;

class PodEnvTest : public ::testing::Test {
 protected:
  void put(const kube::Resource& resource, const std::string& name, const Json& members) {
    Json object = {{"apiVersion", resource.apiVersion()}, {"kind", resource.kind}, {"metadata", {{"name", name}, {"namespace", "shop"}}}};
    object.update(members);
    ASSERT_TRUE(cluster_.create(resource, object, "test"));
  }
  std::expected<Variables, std::string> resolve(const Json& container) { return resolveVariables(sources_, pod_, container, "127.64.0.7"); }
  std::string error(const Json& container) {
    const auto resolved = resolve(container);
    return resolved ? "" : resolved.error();
  }

  kube::MemoryCluster cluster_;
  PodSources sources_{cluster_, "shop"};
  kube::Object pod_{
      Json{{"metadata",
            {{"name", "p"}, {"namespace", "shop"}, {"uid", "u-1"}, {"labels", {{"a.b/c", "label"}}}, {"annotations", {{"n", "note"}}}}},
           {"spec",
            {{"volumes", Json::array({{{"name", "s"}, {"secret", {{"secretName", "db"}}}},
                                      {{"name", "c"}, {"configMap", {{"name", "conf"}}}},
                                      {{"name", "e"}, {"emptyDir", Json::object()}},
                                      {{"name", "o"}, {"secret", {{"secretName", "none"}, {"optional", true}}}}})}}}}};
};

TEST_F(PodEnvTest, ResolvesFieldsOfThePod) {
  const auto field = [](const char* name, const char* path) -> Json {
    return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
  };
  const auto variables =
      resolve({{"env",
                {field("U", "metadata.uid"), field("N", "metadata.name"), field("S", "metadata.namespace"), field("I", "status.podIP"),
                 field("L", "metadata.labels['a.b/c']"), field("A", "metadata.annotations['n']")}}});
  ASSERT_TRUE(variables) << variables.error();
  EXPECT_EQ(*variables, (Variables{{"U", "u-1"}, {"N", "p"}, {"S", "shop"}, {"I", "127.64.0.7"}, {"L", "label"}, {"A", "note"}}));
  EXPECT_EQ(error({{"env", {field("X", "spec.other")}}}), "fieldPath \"spec.other\" is not supported");
}

TEST_F(PodEnvTest, ExpandsVariablesAsKubernetesDoes) {
  const Variables variables{{"A", "1"}, {"EMPTY", ""}};
  EXPECT_EQ(expand("x-$(A)-$(A)", variables), "x-1-1");
  EXPECT_EQ(expand("[$(EMPTY)]", variables), "[]");
  EXPECT_EQ(expand("$(B)", variables), "$(B)");
  EXPECT_EQ(expand("$$(A) $A $ $$", variables), "$(A) $A $ $");
  EXPECT_EQ(expand("$(A", variables), "$(A");
  const auto resolved = resolve({{"env", Json::array({{{"name", "A"}, {"value", "1"}}, {{"name", "B"}, {"value", "$(A)2"}}})}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->at("B"), "12");
  EXPECT_EQ(resolveArguments({{"args", {"run", "$(B)"}}}, *resolved), (std::vector<std::string>{"run", "12"}));
}

TEST_F(PodEnvTest, TakesKeysAndWholeSourcesWithEnvWinning) {
  put(kube::resources::secrets, "db", {{"data", {{"password", "cGFzcw=="}}}, {"stringData", {{"user", "ada"}}}});
  put(kube::resources::configMaps, "conf", {{"data", {{"MODE", "fast"}, {"user", "config"}}}});
  const auto variables = resolve(
      {{"envFrom", Json::array({{{"configMapRef", {{"name", "conf"}}}}, {{"prefix", "DB_"}, {"secretRef", {{"name", "db"}}}}})},
       {"env", Json::array({{{"name", "MODE"}, {"value", "slow"}},
                            {{"name", "PW"}, {"valueFrom", {{"secretKeyRef", {{"name", "db"}, {"key", "password"}}}}}},
                            {{"name", "OPT"}, {"valueFrom", {{"configMapKeyRef", {{"name", "x"}, {"key", "y"}, {"optional", true}}}}}}})}});
  ASSERT_TRUE(variables) << variables.error();
  EXPECT_EQ(*variables, (Variables{{"MODE", "slow"}, {"user", "config"}, {"DB_password", "pass"}, {"DB_user", "ada"}, {"PW", "pass"}}));
}

TEST_F(PodEnvTest, NamesWhatIsMissing) {
  const Json secret = {{"env", Json::array({{{"name", "P"}, {"valueFrom", {{"secretKeyRef", {{"name", "db"}, {"key", "pw"}}}}}}})}};
  EXPECT_EQ(error(secret), "secret \"db\" not found");
  EXPECT_EQ(error({{"envFrom", Json::array({{{"configMapRef", {{"name", "conf"}}}}})}}), "configmap \"conf\" not found");
  put(kube::resources::secrets, "db", {{"stringData", {{"other", "hidden-value"}}}});
  EXPECT_EQ(error(secret), "couldn't find key pw in Secret shop/db");
  EXPECT_TRUE(sources_.uses({SourceKind::secret, {"shop", "db"}}));
  EXPECT_FALSE(sources_.uses({SourceKind::configMap, {"shop", "db"}}));
}

TEST_F(PodEnvTest, AnUnreadableSecretIsNamedWithoutItsContent) {
  put(kube::resources::secrets, "db", {{"data", {{"pw", "not*base64"}}}});
  const std::string message = error({{"envFrom", Json::array({{{"secretRef", {{"name", "db"}}}}})}});
  EXPECT_NE(message.find("key pw of secret \"db\""), std::string::npos) << message;
  EXPECT_EQ(message.find("not*base64"), std::string::npos);
}

TEST_F(PodEnvTest, LaysOutItsVolumes) {
  put(kube::resources::secrets, "db", {{"stringData", {{"pw", "x"}}}});
  put(kube::resources::configMaps, "conf", {{"data", {{"a.ini", "y"}}}});
  testing::TempDir dir;
  const auto mount = [](const char* name, const char* path) -> Json { return {{"name", name}, {"mountPath", path}}; };
  const auto done =
      layOutMounts(sources_, pod_,
                   {{"volumeMounts", {mount("s", "/run/db"), mount("c", "/etc/conf"), mount("e", "/tmp"), mount("o", "/opt")}}}, dir.path);
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(readFile(dir.path / "run/db/pw"), "x");
  EXPECT_EQ(readFile(dir.path / "etc/conf/a.ini"), "y");
  EXPECT_TRUE(std::filesystem::is_directory(dir.path / "tmp"));
  EXPECT_FALSE(layOutMounts(sources_, pod_, {{"volumeMounts", {mount("s", "/a"), mount("c", "/a")}}}, dir.path));
  EXPECT_FALSE(layOutMounts(sources_, pod_, {{"volumeMounts", {mount("unknown", "/a")}}}, dir.path));
  EXPECT_FALSE(layOutMounts(sources_, pod_, {{"volumeMounts", {mount("s", "/../a")}}}, dir.path));
}

}  // namespace
}  // namespace pilotlight::local
