#include "kube/lease.h"

#include <nlohmann/json.hpp>

namespace pilotlight::kube {

using std::chrono::milliseconds;

std::optional<std::string> leaseProblem(const LeaseOptions& options) {
  if (options.identity.empty()) return "an identity is required";
  if (options.lease.name.empty()) return "the Lease needs a name";
  if (options.duration % std::chrono::seconds(1) != milliseconds(0)) return "the duration must be whole seconds";
  if (options.retryPeriod <= milliseconds(0)) return "the retry period must be positive";
  if (options.renewDeadline <= options.retryPeriod) return "the renewal deadline must be longer than the retry period";
  if (options.duration <= options.renewDeadline) return "the duration must be longer than the renewal deadline";
  return std::nullopt;
}

std::optional<SeenLease> seeLease(const Object& object, const std::optional<SeenLease>& before, SteadyTime now) {
  if (!object) return std::nullopt;
  SeenLease seen;
  seen.holder = object.stringAt("/spec/holderIdentity");
  seen.duration = std::chrono::seconds(object.intAt("/spec/leaseDurationSeconds"));
  seen.transitions = static_cast<int>(object.intAt("/spec/leaseTransitions"));
  seen.acquireTime = object.stringAt("/spec/acquireTime");
  seen.resourceVersion = object.resourceVersion();
  seen.since = before && before->resourceVersion == seen.resourceVersion ? before->since : now;
  return seen;
}

LeaseStep decideLease(const std::optional<SeenLease>& seen, const std::string& identity, SteadyTime now) {
  if (!seen) return LeaseStep::create;
  if (seen->holder == identity) return LeaseStep::renew;
  if (seen->holder.empty() || now - seen->since >= seen->duration) return LeaseStep::acquire;
  return LeaseStep::wait;
}

Json leaseToWrite(LeaseStep step, const std::optional<SeenLease>& seen, const LeaseOptions& options, SystemTime wall, bool release) {
  const std::string now = microTimestamp(wall);
  const bool renewing = step == LeaseStep::renew && seen;
  Json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                {"kind", "Lease"},
                {"metadata", {{"name", options.lease.name}, {"namespace", options.lease.namespace_}}},
                {"spec",
                 {{"holderIdentity", release ? "" : options.identity},
                  {"leaseDurationSeconds", release ? 1 : std::chrono::duration_cast<std::chrono::seconds>(options.duration).count()},
                  {"acquireTime", renewing && !seen->acquireTime.empty() ? seen->acquireTime : now},
                  {"renewTime", now},
                  {"leaseTransitions", seen ? seen->transitions + (renewing ? 0 : 1) : 0}}}};
  if (seen) lease["metadata"]["resourceVersion"] = seen->resourceVersion;
  return lease;
}

}  // namespace pilotlight::kube
