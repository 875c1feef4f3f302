#include "kube/field_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/merge.h"

namespace pilotlight::kube {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

namespace {
FieldSet fields(const char* json) {
  return fieldsOf(nlohmann::json::parse(json), shapeOf(resources::deployments));
}
}  // namespace

TEST(FieldSet, PathsReadAsKubectlShowsThem) {
  const FieldSet set = fields(R"({"metadata": {"finalizers": ["f"]}, "spec": {"replicas": 1, "template": {"spec": {"containers": [
    {"name": "main", "args": ["a", "b"], "ports": [{"containerPort": 80}]}]}}}})");
  EXPECT_THAT(set.paths(), UnorderedElementsAre(
                               ".metadata.finalizers[=\"f\"]", ".spec.replicas", ".spec.template.spec.containers[name=\"main\"]",
                               ".spec.template.spec.containers[name=\"main\"].name", ".spec.template.spec.containers[name=\"main\"].args",
                               ".spec.template.spec.containers[name=\"main\"].ports[containerPort=80,protocol=\"TCP\"]",
                               ".spec.template.spec.containers[name=\"main\"].ports[containerPort=80,protocol=\"TCP\"].containerPort"));
}

TEST(FieldSet, PackedAndUnpackedIsTheSame) {
  const FieldSet set = fields(R"({"spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}},
    "replicas": 2}, "metadata": {"annotations": {"a": "b"}, "labels": {}}})");
  EXPECT_EQ(FieldSet::unpack(set.pack()), set);
  EXPECT_EQ(FieldSet::unpack(FieldSet().pack()), FieldSet());
}

TEST(FieldSet, AddSubtractIntersectAreSetOperations) {
  const FieldSet a = fields(R"({"x": 1, "y": {"z": 1}})");
  const FieldSet b = fields(R"({"y": {"z": 1, "w": 1}})");
  EXPECT_THAT(a.intersect(b).paths(), ElementsAre(".y.z"));
  FieldSet sum = a;
  sum.add(b);
  EXPECT_THAT(sum.paths(), UnorderedElementsAre(".x", ".y.z", ".y.w"));
  FieldSet rest = a;
  rest.subtract(b);
  EXPECT_THAT(rest.paths(), ElementsAre(".x"));
  rest.subtract(a);
  EXPECT_TRUE(rest.empty());
}

}  // namespace pilotlight::kube
