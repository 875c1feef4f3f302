#include "api/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilotlight::api {
namespace {

using testing::HasSubstr;

const std::string kHello = R"(apiVersion: pilotlight.dev/v1alpha1
kind: Function
metadata: {name: hello}
spec:
  image: example/hello:1
  runtime: exec
  handler: ["./hello"]
)";

std::vector<std::string> errorsOf(const std::string& text) {
  auto manifests = readManifests("f.yaml", text);
  std::vector<std::string> lines;
  if (!manifests) {
    for (const ManifestError& error : manifests.error()) lines.push_back(error.toString());
  }
  return lines;
}

TEST(Manifests, ReadsAllDocuments) {
  auto manifests =
      readManifests("f.yaml", "# first\n---\n" + kHello + "---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n");
  ASSERT_TRUE(manifests);
  ASSERT_EQ(manifests->size(), 2U);
  EXPECT_EQ((*manifests)[0].line, 3);
  EXPECT_EQ((*manifests)[0].object["spec"]["timeout"], "30s") << "defaults are written in";
  EXPECT_EQ((*manifests)[1].object["data"]["a"], "b");
}

TEST(Manifests, AnEmptyFileHasNone) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n---\n"}) {
    auto manifests = readManifests("f.yaml", text);
    ASSERT_TRUE(manifests) << text;
    EXPECT_TRUE(manifests->empty());
  }
}

TEST(Manifests, NameFileLineFieldAndWhatIsAllowed) {
  EXPECT_THAT(errorsOf(kHello + "  scale:\n    min: -1\n"),
              testing::ElementsAre("f.yaml:9: spec.scale.min: must be between 0 and 1000 (got -1)"));
  EXPECT_THAT(errorsOf(kHello + "  env:\n  - name: A\n  - nam: B\n"),
              testing::ElementsAre("f.yaml:10: spec.env[1].name: required",
                                   "f.yaml:10: spec.env[1].nam: unknown field; did you mean 'name'? Allowed: name, value, valueFrom"));
  EXPECT_THAT(errorsOf(kHello + "  replicas: '3'\n"), testing::ElementsAre("f.yaml:8: spec.replicas: must be a whole number (got \"3\")"));
  EXPECT_THAT(errorsOf("a: [\n"), testing::ElementsAre(testing::StartsWith("f.yaml:")));
}

TEST(Manifests, ReturnNothingOfAFileWithAnError) {
  EXPECT_FALSE(readManifests("f.yaml", kHello + "---\n" + kHello + "  timeout: soon\n"));
  EXPECT_THAT(errorsOf(kHello + "  timeout: soon\n---\n" + kHello + "  replicas: x\n"), testing::SizeIs(2)) << "errors of all documents";
}

TEST(Manifests, FillTheImageInWhenAsked) {
  std::string text = kHello;
  text.erase(text.find("  image"), std::string("  image: example/hello:1\n").size());
  EXPECT_THAT(errorsOf(text), testing::ElementsAre("f.yaml:4: spec.image: required"));
  auto manifests = readManifests("f.yaml", text, {.imageWhenAbsent = "local"});
  ASSERT_TRUE(manifests);
  EXPECT_EQ(manifests->front().object["spec"]["image"], "local");
  EXPECT_EQ(readManifests("f.yaml", kHello, {.imageWhenAbsent = "local"})->front().object["spec"]["image"], "example/hello:1");
}

TEST(Manifests, RefuseOtherKinds) {
  EXPECT_THAT(errorsOf("apiVersion: v1\nkind: Pod\n"),
              testing::ElementsAre(HasSubstr("f.yaml:2: kind: not known here; allowed: Function")));
  EXPECT_THAT(errorsOf("metadata: {}\n"), testing::ElementsAre(HasSubstr("f.yaml:1: kind: required")));
  EXPECT_THAT(errorsOf("just text\n"), testing::ElementsAre(HasSubstr("must be a Kubernetes object")));
  EXPECT_THAT(errorsOf("apiVersion: serving.knative.dev/v1\nkind: Function\n"),
              testing::ElementsAre(HasSubstr("apiVersion: must be pilotlight.dev/v1alpha1")));
}

TEST(Manifests, EncodeSecrets) {
  auto manifests =
      readManifests("f.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: b2xk}\nstringData: {a: new, b: 'x', c: ''}\n");
  ASSERT_TRUE(manifests);
  const Json& secret = manifests->front().object;
  EXPECT_EQ(secret["data"], (Json{{"a", "bmV3"}, {"b", "eA=="}, {"c", ""}}));
  EXPECT_FALSE(secret.contains("stringData"));
  EXPECT_EQ(secret["type"], "Opaque");
}

TEST(Manifests, CheckSecretsAndConfigMaps) {
  const std::string secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
                    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n";
  EXPECT_THAT(errorsOf(secret + "data: {a: plain!}\n"),
              testing::ElementsAre("f.yaml:4: data[a]: must be base64: put plain text under stringData"));
  EXPECT_THAT(errorsOf(secret + "stringData:\n  a: x\n  port: 80\n"),
              testing::ElementsAre(HasSubstr("f.yaml:6: stringData[port]: must be a string")));
  EXPECT_THAT(errorsOf(secret + "stringdata: {}\n"), testing::ElementsAre(HasSubstr("did you mean 'stringData'?")));
  EXPECT_THAT(errorsOf(config + "data: {a/b: x}\n"), testing::ElementsAre(HasSubstr("data[a/b]: the key must be")));
  EXPECT_THAT(errorsOf(config + "data: {..a: x}\n"), testing::ElementsAre(HasSubstr("the key must be")));
  EXPECT_THAT(errorsOf(config + "data: []\n"), testing::ElementsAre(HasSubstr("data: must be a map")));
  EXPECT_THAT(errorsOf("apiVersion: v2\nkind: ConfigMap\n"), testing::SizeIs(2));
  EXPECT_THAT(errorsOf("apiVersion: v1\nkind: Secret\nmetadata: {name: S}\n"), testing::ElementsAre(HasSubstr("f.yaml:3: metadata.name")));
}

TEST(Manifests, NeverShowTheValueOfASecret) {
  for (const char* data : {"data: {a: hunter2!}", "stringData: {a: [hunter2]}", "stringData: hunter2", "data: hunter2"}) {
    for (const std::string& line : errorsOf("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + std::string(data) + "\n")) {
      EXPECT_THAT(line, testing::Not(HasSubstr("hunter2")));
    }
  }
}

}  // namespace
}  // namespace pilotlight::api
