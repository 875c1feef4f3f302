// One pass over one Function: gather -> decide -> apply.
// Thread-safe; the work queue sees to it that a Function is on one worker at a time.
#pragma once

#include "core/plan.h"
#include "kube/client.h"
#include "operator/apply.h"
#include "operator/gather.h"

namespace pilotlight::op {

enum class Outcome {
  done,
  again,   ///< what was known is old, the news are on their way: a conflict, a namespace that is being deleted
  failed,  ///< an error: again, later and later
};

class Reconciler {
 public:
  Reconciler(const Caches& caches, const Gatherer& gatherer, const Applier& applier, const Log& log, Metrics& metrics,
             const core::PlanOptions& options)
      : caches_(caches), gatherer_(gatherer), applier_(applier), log_(log), metrics_(metrics), options_(options) {}

  Outcome reconcile(const kube::Key& function) const;

 private:
  Outcome reconcileInvalid(const kube::Object& function, const api::FieldErrors& errors) const;
  void tellRefused(const Gathered& gathered, const std::string& why) const;
  Outcome outcomeOf(const kube::Key& function, const kube::Result<void>& result) const;

  const Caches& caches_;
  const Gatherer& gatherer_;
  const Applier& applier_;
  const Log& log_;
  Metrics& metrics_;
  const core::PlanOptions& options_;
};

}  // namespace pilotlight::op
