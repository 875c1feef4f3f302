#include "kube/types.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/errors.h"

namespace pilotlight::kube {

TEST(Resources, AreFoundByApiVersionAndKind) {
  for (const Resource& resource : resources::all()) EXPECT_EQ(resources::find(resource.apiVersion(), resource.kind), &resource);
  EXPECT_EQ(resources::find("apps/v1", "Pod"), nullptr);
  EXPECT_EQ(resources::deployments.apiVersion(), "apps/v1");
  EXPECT_EQ(resources::pods.apiVersion(), "v1");
}

TEST(Object, AccessorsReadWhatIsThere) {
  const Object object(Json::parse(R"({"metadata": {"name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7",
    "generation": 3, "labels": {"a/b": "c"}, "annotations": {"x~y": "z"}, "deletionTimestamp": "2026-01-31T12:00:00Z"},
    "spec": {"replicas": 2, "list": [{"name": "first"}, {"name": "second"}]}})"));
  EXPECT_EQ(object.key().toString(), "shop/orders");
  EXPECT_EQ(object.uid(), "u");
  EXPECT_EQ(object.resourceVersion(), "7");
  EXPECT_EQ(object.generation(), 3);
  EXPECT_TRUE(object.deleting());
  EXPECT_EQ(object.label("a/b"), "c");
  EXPECT_EQ(object.annotation("x~y"), "z");
  EXPECT_EQ(object.stringAt("/metadata/labels/a~1b"), "c");
  EXPECT_EQ(object.stringAt("/metadata/annotations/x~0y"), "z");
  EXPECT_EQ(object.stringAt("/spec/list/1/name"), "second");
  EXPECT_EQ(object.intAt("/spec/replicas"), 2);
}

TEST(Object, AccessorsOfAbsentFieldsAreEmpty) {
  const Object object(Json::parse(R"({"metadata": {"name": 5}, "spec": {"text": "x", "list": [1]}})"));
  EXPECT_EQ(object.name(), "");
  EXPECT_EQ(object.label("none"), "");
  EXPECT_FALSE(object.deleting());
  EXPECT_EQ(object.at("/spec/none/deeper"), nullptr);
  EXPECT_EQ(object.at("/spec/list/1"), nullptr);
  EXPECT_EQ(object.at("/spec/list/x"), nullptr);
  EXPECT_EQ(object.at("no-pointer"), nullptr);
  EXPECT_EQ(object.intAt("/spec/text", -1), -1);
  EXPECT_EQ(object.stringAt("/spec/list"), "");
  EXPECT_FALSE(Object());
}

TEST(KeyHash, TellsNamespaceFromName) {
  EXPECT_NE(KeyHash{}({"a", "b"}), KeyHash{}({"b", "a"}));
  EXPECT_EQ(KeyHash{}({"a", "b"}), KeyHash{}({"a", "b"}));
}

TEST(Attempt, ErrorsSayWhatWasAttemptedOnWhat) {
  const Error error = Attempt{"patch", resources::deployments, {"shop", "orders"}}.error(ErrorCode::conflict, "it changed");
  EXPECT_EQ(error.message, "patch deployments shop/orders: 409 conflict: it changed");
  EXPECT_EQ((Attempt{"list", resources::pods, {"shop", ""}}.error(ErrorCode::unavailable, "x").message),
            "list pods in shop: unavailable: x");
}

}  // namespace pilotlight::kube
