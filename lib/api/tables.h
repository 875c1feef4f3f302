// The tables of the kinds: specs, statuses, and the objects themselves. See tables_parts.h for how to read a table, and for
// the structs that specs are made of.
#pragma once

#include <numeric>

#include "api/tables_parts.h"

namespace pilotlight::api {

// -- Function ---------------------------------------------------------------------------------------------------------

constexpr bool signals(const std::vector<SourceMount>& mounts) {
  return std::ranges::any_of(mounts, [](const SourceMount& mount) { return mount.onChange == OnChange::signal; });
}

template <>
struct Table<FunctionSpec> {
  static constexpr std::string_view name = "FunctionSpec";
  static constexpr std::string_view doc = "What runs, how much of it, and who may call it.";
  static constexpr std::array rows = {
      row<&FunctionSpec::image>(
          "image", "The container image. The shim is added to it. Local mode pulls no image and lets you leave it out.", kImageBounds),
      row<&FunctionSpec::runtime>(
          "runtime",
          "`native`: a shared library; `http`: a program that serves HTTP; `exec`: a program that reads stdin and writes stdout."),
      row<&FunctionSpec::handler>("handler", "The command; for `native` the library and its function (default: handle).", kHandlerBounds),
      row<&FunctionSpec::env>("env", "Environment variables of the handler.", kEnvBounds),
      row<&FunctionSpec::secrets>("secrets", "Secrets, as files or variables.", kMountBounds),
      row<&FunctionSpec::config>("config", "ConfigMaps, as files or variables.", kMountBounds),
      row<&FunctionSpec::resources>("resources", "What one replica gets."),
      row<&FunctionSpec::timeout>("timeout", "The longest that the handler may take for one request. After it the caller gets 504.",
                                  kTimeoutBounds),
      row<&FunctionSpec::concurrency>("concurrency", "How many requests run at the same time."),
      row<&FunctionSpec::replicas>("replicas", "Pins the number; `kubectl scale` writes it. Left out: automatic.",
                                   {.min = 0, .max = kMaxReplicas}),
      row<&FunctionSpec::scale>("scale", "The number of replicas while it is automatic."),
      row<&FunctionSpec::http>("http", "Who may call the function over HTTP, and how."),
      row<&FunctionSpec::network>("network", "What the replicas may reach."),
      row<&FunctionSpec::pod>("pod", "Settings of the pods, for what no other field covers."),
  };
  static constexpr std::array rules = {
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime != Runtime::native || spec.handler.size() <= 2; }>(
          "self.runtime != 'native' || self.handler.size() <= 2", "must be [library, function] or [library] for runtime native", "handler"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return !spec.handler.front().empty(); }>(
          "self.handler.size() == 0 || self.handler[0] != ''", "must start with the program or library to run", "handler"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return !spec.replicas || spec.scale.parked == 0; }>(
          "!has(self.replicas) || self.scale.parked == 0", "must be 0 while replicas pins the number: leave one of the two out",
          "scale.parked"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime == Runtime::http || !spec.pod.port; }>(
          "self.runtime == 'http' || !has(self.pod) || !has(self.pod.port)", "has a meaning for runtime http only: leave it out",
          "pod.port"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime == Runtime::http || spec.pod.readyPath.empty(); }>(
          "self.runtime == 'http' || !has(self.pod) || !has(self.pod.readyPath)", "has a meaning for runtime http only: leave it out",
          "pod.readyPath"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime == Runtime::http || spec.http.protocol == Protocol::http1; }>(
          "self.runtime == 'http' || self.http.protocol == 'http1'",
          "h2c is for runtime http only: handlers of native and exec are called the same for either protocol, so leave it out",
          "http.protocol"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime != Runtime::exec || !signals(spec.secrets); }>(
          "self.runtime != 'exec' || !has(self.secrets) || self.secrets.all(s, s.onChange == 'none')",
          "must not have onChange: signal with runtime exec: every request starts the program anew", "secrets"),
      rule<FunctionSpec, [](const FunctionSpec& spec) { return spec.runtime != Runtime::exec || !signals(spec.config); }>(
          "self.runtime != 'exec' || !has(self.config) || self.config.all(c, c.onChange == 'none')",
          "must not have onChange: signal with runtime exec: every request starts the program anew", "config"),
  };
};

template <>
struct Table<Condition> {
  static constexpr std::string_view name = "Condition";
  static constexpr std::string_view doc = "A standard Kubernetes condition.";
  static constexpr std::array rows = {
      row<&Condition::type>("type", "What the condition is about.", {.required = true, .nonEmpty = true, .maxLength = 316}),
      row<&Condition::status>("status", "True, False or Unknown.", {.required = true, .oneOf = kConditionStatus}),
      row<&Condition::reason>("reason", "The reason in one word, for programs."),
      row<&Condition::message>("message", "The reason in a sentence, for people.", {.maxLength = 32768}),
      row<&Condition::lastTransitionTime>("lastTransitionTime", "When the status last changed (RFC 3339).", {.maxLength = 64}),
      row<&Condition::observedGeneration>("observedGeneration", "The metadata.generation that this is about.", kCounterBounds),
  };
};

template <>
struct Table<VersionRefs> {
  static constexpr std::string_view name = "VersionRefs";
  static constexpr std::string_view doc = "Versions by number.";
  static constexpr std::array rows = {
      row<&VersionRefs::stable>("stable", "The version that serves. 0: none yet.", kCounterBounds),
      row<&VersionRefs::latest>("latest", "The newest version.", kCounterBounds),
  };
};

template <>
struct Table<TrafficTarget> {
  static constexpr std::string_view name = "TrafficTarget";
  static constexpr std::string_view doc = "A version's share of the traffic.";
  static constexpr std::array rows = {
      row<&TrafficTarget::version>("version", "The version's number.", kCounterBounds),
      row<&TrafficTarget::weight>("weight", "Percent.", kPercentBounds),
  };
};

template <>
struct Table<FunctionStatus> {
  static constexpr std::string_view name = "FunctionStatus";
  static constexpr std::string_view doc = "What the operator found. Written by the operator only.";
  static constexpr std::array rows = {
      row<&FunctionStatus::observedGeneration>("observedGeneration", "The metadata.generation that this status is about.", kCounterBounds),
      row<&FunctionStatus::conditions>("conditions",
                                       "Ready, Progressing, RouteReady, Scaled; SourcesWatched with variables of Secrets or ConfigMaps.",
                                       kConditionBounds),
      row<&FunctionStatus::url>("url", "Where the function is served."),
      row<&FunctionStatus::versions>("versions", "The version that serves and the newest one."),
      row<&FunctionStatus::traffic>("traffic", "Where the traffic goes, for people; the FunctionRoute decides.", {.maxItems = 16}),
      row<&FunctionStatus::replicas>("replicas", "Replicas that exist.", kCounterBounds),
      row<&FunctionStatus::readyReplicas>("readyReplicas", "Replicas whose handler runs and accepts requests.", kCounterBounds),
      row<&FunctionStatus::parkedReplicas>("parkedReplicas", "Replicas whose handler is started when it is needed.", kCounterBounds),
      row<&FunctionStatus::selector>("selector", "The label selector of the replicas, for `kubectl scale` and autoscalers."),
      row<&FunctionStatus::initialScaleReached>("initialScaleReached", "Whether `scale.initial` replicas have once been up."),
      row<&FunctionStatus::shim>("shim",
                                 "Where replicas have the shim from: image (the annotation pilotlight.dev/shim-in-image), or copied by an "
                                 "init container, which costs time at each start."),
  };
};

template <>
struct Table<Function> {
  static constexpr std::string_view name = "Function";
  static constexpr std::string_view doc = "A program that answers requests: started when one comes, ended when none come.";
  static constexpr std::array rows = {
      row<&Function::metadata>("metadata", "The standard metadata. The name is a DNS label of at most 52 characters.", {.required = true}),
      row<&Function::spec>("spec", "What runs, how much of it, and who may call it.", {.required = true}),
      row<&Function::status>("status", "What the operator found. Written by the operator only."),
  };
};

// -- FunctionVersion --------------------------------------------------------------------------------------------------

template <>
struct Table<FunctionVersionSpec> {
  static constexpr std::string_view name = "FunctionVersionSpec";
  static constexpr std::string_view doc = "What runs. It never changes.";
  static constexpr std::array rows = {
      row<&FunctionVersionSpec::function>("function", "The Function that this is a version of.", kFunctionNameBounds),
      row<&FunctionVersionSpec::number>("number", "Counts from 1.", {.required = true, .min = 1}),
      row<&FunctionVersionSpec::hash>("hash", "Of the content: same content, same version.", {.maxLength = 128}),
      row<&FunctionVersionSpec::image>("image", "The container image.", kImageBounds),
      row<&FunctionVersionSpec::runtime>("runtime", "`native`, `http` or `exec`."),
      row<&FunctionVersionSpec::handler>("handler", "The command; for `native` the library and its function.", kHandlerBounds),
      row<&FunctionVersionSpec::env>("env", "Environment variables of the handler.", kEnvBounds),
      row<&FunctionVersionSpec::secrets>("secrets", "Secrets, as files or variables.", kMountBounds),
      row<&FunctionVersionSpec::config>("config", "ConfigMaps, as files or variables.", kMountBounds),
      row<&FunctionVersionSpec::resources>("resources", "What one replica gets."),
      row<&FunctionVersionSpec::timeout>("timeout", "The longest that the handler may take for one request.", kTimeoutBounds),
      row<&FunctionVersionSpec::perReplica>("perReplica", "The most requests that one replica handles at the same time.",
                                            kPerReplicaBounds),
      row<&FunctionVersionSpec::protocol>("protocol", "What the handler speaks: `http1` or `h2c`."),
      row<&FunctionVersionSpec::pod>("pod", "Settings of the pods."),
      row<&FunctionVersionSpec::workDir>("workDir", "Local mode: the folder that the handler runs in.", {.maxLength = 4096}),
      row<&FunctionVersionSpec::codeRevision>("codeRevision", "Local mode: changes with the handler's files."),
  };
  static constexpr std::array rules = {
      changeRule("self == oldSelf", "a FunctionVersion never changes: change the Function, which makes a new version"),
  };
};

template <>
struct Table<FunctionVersion> {
  static constexpr std::string_view name = "FunctionVersion";
  static constexpr std::string_view doc = "An immutable snapshot of what a Function runs. Made by the operator.";
  static constexpr std::array rows = {
      row<&FunctionVersion::metadata>("metadata", "The standard metadata. The name is the Function's with the number: orders-00007.",
                                      {.required = true}),
      row<&FunctionVersion::spec>("spec", "What runs. It never changes.", {.required = true}),
  };
};

// -- FunctionRoute ----------------------------------------------------------------------------------------------------

template <>
struct Table<RouteBackend> {
  static constexpr std::string_view name = "RouteBackend";
  static constexpr std::string_view doc = "A version that takes a share of the traffic.";
  static constexpr std::array rows = {
      row<&RouteBackend::version>("version", "The version's number.", {.required = true, .min = 0}),
      row<&RouteBackend::weight>("weight", "Percent. The weights of a route sum to 100.", kPercentBounds),
      row<&RouteBackend::deployment>("deployment", "The Deployment whose scale is raised to wake the version.", {.maxLength = 253}),
      row<&RouteBackend::perReplica>("perReplica", "The most requests that one replica handles at the same time.", kPerReplicaBounds),
      row<&RouteBackend::timeout>("timeout", "The longest that the handler may take for one request.", kTimeoutBounds),
      row<&RouteBackend::protocol>("protocol", "What this version's replicas are talked to with: `http1` or `h2c`."),
  };
};

template <>
struct Table<FunctionRouteSpec> {
  static constexpr std::string_view name = "FunctionRouteSpec";
  static constexpr std::string_view doc = "What the gateways serve for one Function.";
  static constexpr std::array rows = {
      row<&FunctionRouteSpec::function>("function", "The Function's name.", kFunctionNameBounds),
      row<&FunctionRouteSpec::hosts>("hosts", "Host names, lower case, without a port.", kHostBounds),
      row<&FunctionRouteSpec::localPath>("localPath", "Local mode: also served under this prefix on any host.",
                                         {.format = Format::localPath}),
      row<&FunctionRouteSpec::routes>("routes", "Paths that are answered. Empty: every path."),
      row<&FunctionRouteSpec::visibility>("visibility", "`public` or `cluster`."),
      row<&FunctionRouteSpec::retry>("retry", "`never` or `idempotent`."),
      row<&FunctionRouteSpec::limits>("limits", "Bounds of one request."),
      row<&FunctionRouteSpec::idleTimeout>("idleTimeout", "How long an upgraded connection may be without traffic.", kTimeoutBounds),
      row<&FunctionRouteSpec::queue>("queue", "Requests that wait for a free replica."),
      row<&FunctionRouteSpec::reserved>(
          "reserved", "Requests at once that are kept for this function, and its most. Absent: it shares the pool.", kReservedBounds),
      row<&FunctionRouteSpec::backends>("backends", "Where the traffic goes. Empty: nothing can run yet, requests wait.", {.maxItems = 16}),
      row<&FunctionRouteSpec::functionGeneration>("functionGeneration", "The Function's generation that this was made from.",
                                                  kCounterBounds),
      row<&FunctionRouteSpec::created>("created", "When the Function was made: the older one keeps a contested host and path.",
                                       {.maxLength = 64}),
  };
  static constexpr std::array rules = {
      rule<FunctionRouteSpec,
           [](const FunctionRouteSpec& route) {
             auto add = [](int sum, const RouteBackend& backend) { return sum + backend.weight; };
             return route.backends.empty() || std::accumulate(route.backends.begin(), route.backends.end(), 0, add) == 100;
           }>("!has(self.backends) || self.backends.size() == 0 || self.backends.map(b, b.weight).sum() == 100",
              "must have weights that sum to 100", "backends"),
  };
};

template <>
struct Table<GatewayAck> {
  static constexpr std::string_view name = "GatewayAck";
  static constexpr std::string_view doc = "A gateway's word that it serves a route.";
  static constexpr std::array rows = {
      row<&GatewayAck::gateway>("gateway", "The gateway's name.", {.required = true, .nonEmpty = true, .maxLength = 253}),
      row<&GatewayAck::observedGeneration>("observedGeneration", "The route's metadata.generation that it serves.", kCounterBounds),
  };
};

template <>
struct Table<RouteOwner> {
  static constexpr std::string_view name = "RouteOwner";
  static constexpr std::string_view doc = "The gateway that gives out a limited function's slots, for all gateways.";
  static constexpr std::array rows = {
      row<&RouteOwner::gateway>("gateway", "The gateway's name.", {.required = true, .nonEmpty = true, .maxLength = 253}),
      row<&RouteOwner::instance>("instance", "Its process.", {.required = true, .nonEmpty = true, .maxLength = 64}),
      row<&RouteOwner::epoch>("epoch", "Rises with each owner.", {.required = true, .min = 1}),
  };
};

template <>
struct Table<FunctionRouteStatus> {
  static constexpr std::string_view name = "FunctionRouteStatus";
  static constexpr std::string_view doc = "Which gateways serve the route.";
  static constexpr std::array rows = {
      row<&FunctionRouteStatus::gateways>("gateways", "One entry per gateway, written by it.",
                                          {.maxItems = 256, .listType = ListType::map, .listKey = "gateway"}),
      row<&FunctionRouteStatus::owner>("owner", "The gateway that gives out the function's slots. Absent: none had to yet."),
      row<&FunctionRouteStatus::conditions>("conditions", "Accepted, Conflicted.", kConditionBounds),
  };
};

template <>
struct Table<FunctionRoute> {
  static constexpr std::string_view name = "FunctionRoute";
  static constexpr std::string_view doc = "What the gateways serve for one Function. Internal: made by the operator.";
  static constexpr std::array rows = {
      row<&FunctionRoute::metadata>("metadata", "The standard metadata. The name is the Function's.", {.required = true}),
      row<&FunctionRoute::spec>("spec", "What the gateways serve.", {.required = true}),
      row<&FunctionRoute::status>("status", "Which gateways serve the route."),
  };
};

}  // namespace pilotlight::api
