#include "kube/schema.h"

namespace pilotlight::kube {

namespace {

using Fields = std::map<std::string, Shape, std::less<>>;

Shape plain(Fields fields) {
  return {Shape::Kind::plain, {}, false, std::move(fields)};
}
Shape atomic() {
  return {Shape::Kind::atomic, {}, false, {}};
}
Shape set() {
  return {Shape::Kind::set, {}, false, {}};
}
Shape listMap(std::vector<std::string> keys, Fields fields = {}) {
  return {Shape::Kind::listMap, std::move(keys), false, std::move(fields)};
}

Shape metadata() {
  Shape owners = listMap({"uid"});
  owners.atomicItems = true;
  return plain({{"finalizers", set()}, {"ownerReferences", std::move(owners)}});
}

Shape containers() {
  const Shape valueFrom =
      plain({{"configMapKeyRef", atomic()}, {"secretKeyRef", atomic()}, {"fieldRef", atomic()}, {"resourceFieldRef", atomic()}});
  return listMap({"name"}, {{"ports", listMap({"containerPort", "protocol"})},
                            {"env", listMap({"name"}, {{"valueFrom", valueFrom}})},
                            {"volumeMounts", listMap({"mountPath"})},
                            {"volumeDevices", listMap({"devicePath"})},
                            {"resources", plain({{"claims", listMap({"name"})}})}});
}

Shape podSpec() {
  return plain({{"containers", containers()},
                {"initContainers", containers()},
                {"ephemeralContainers", containers()},
                {"volumes", listMap({"name"})},
                {"imagePullSecrets", listMap({"name"})},
                {"hostAliases", listMap({"ip"})},
                {"topologySpreadConstraints", listMap({"topologyKey", "whenUnsatisfiable"})},
                {"resourceClaims", listMap({"name"})},
                {"schedulingGates", listMap({"name"})},
                {"nodeSelector", atomic()}});
}

Shape conditions() {
  return listMap({"type"});
}

Shape ours() {
  return plain({{"metadata", metadata()},
                {"spec", plain({{"env", listMap({"name"})}, {"secrets", listMap({"name"})}, {"config", listMap({"name"})}})},
                {"status", plain({{"conditions", conditions()}, {"gateways", listMap({"gateway"})}})}});
}

Shape deployment() {
  Shape spec = plain({{"selector", atomic()}, {"template", plain({{"metadata", metadata()}, {"spec", podSpec()}})}});
  return plain({{"metadata", metadata()}, {"spec", std::move(spec)}, {"status", plain({{"conditions", conditions()}})}});
}

Shape service() {
  Shape spec = plain({{"selector", atomic()}, {"ports", listMap({"port", "protocol"})}});
  return plain({{"metadata", metadata()}, {"spec", std::move(spec)}, {"status", plain({{"conditions", conditions()}})}});
}

Shape pod() {
  Shape status = plain({{"conditions", conditions()}, {"podIPs", listMap({"ip"})}});
  return plain({{"metadata", metadata()}, {"spec", podSpec()}, {"status", std::move(status)}});
}

std::map<Resource, Shape> known() {
  return {{resources::functions, ours()},
          {resources::functionVersions, ours()},
          {resources::functionRoutes, ours()},
          {resources::deployments, deployment()},
          {resources::services, service()},
          {resources::pods, pod()},
          {resources::serviceAccounts, plain({{"metadata", metadata()}, {"secrets", listMap({"name"})}})},
          {resources::events, plain({{"metadata", metadata()}, {"involvedObject", atomic()}, {"related", atomic()}})}};
}

}  // namespace

const Shape& Shape::field(std::string_view name) const {
  static const Shape unknown;
  const auto found = fields.find(name);
  return found == fields.end() ? unknown : found->second;
}

const Shape& shapeOf(const Resource& resource) {
  static const std::map<Resource, Shape> shapes = known();
  static const Shape other = plain({{"metadata", metadata()}});
  const auto found = shapes.find(resource);
  return found == shapes.end() ? other : found->second;
}

Traits traitsOf(const Resource& resource) {
  Traits traits;
  traits.custom = resource.group == resources::functions.group;
  traits.scale = resource == resources::functions || resource == resources::deployments;
  traits.graceful = resource == resources::pods;
  traits.status = traits.scale || traits.graceful || resource == resources::functionRoutes || resource == resources::services ||
                  resource == resources::podDisruptionBudgets;
  traits.generation = traits.custom || resource == resources::deployments || resource == resources::networkPolicies ||
                      resource == resources::podDisruptionBudgets;
  return traits;
}

}  // namespace pilotlight::kube
