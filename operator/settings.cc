#include "operator/settings.h"

#include "operator/operator.h"

namespace pilotlight::op {

namespace {

using namespace std::chrono_literals;
using api::countRow;
using api::durationRow;
using Options = OperatorOptions;

constexpr api::Setting kRows[] = {
    durationRow<&Options::autoscaleTick>("autoscaleTick", "Between two looks at the replicas of functions that have some.", 10ms, 1min),
    durationRow<&Options::stableWindow>("stableWindow", "Over which the load is averaged.", 1s, 1h),
    durationRow<&Options::panicWindow>("panicWindow", "The same for a burst; less than `stableWindow`.", 100ms, 1h),
    durationRow<&Options::shimTimeout>("shimTimeout", "For a replica to answer when it is parked, lit, or asked which it is.", 10ms, 1min),
    durationRow<&Options::parkedLook>("parkedLook", "After a request, in which parked replicas are asked whether it lit them.", 0ms, 1h),
    countRow<&Options::parkingTicks>(
        "parkingTicks", "Of the autoscaler, for which a Deployment that shrinks waits until those that stay are parked or lit.", 0, 10'000),
    durationRow<&Options::sourcePatience>("sourcePatience",
                                          "At the start, for the API to tell of Secrets and ConfigMaps; then it goes on without.", 0ms, 1h),
    durationRow<&Options::syncTimeout>("syncTimeout", "At the start, for the API to tell of everything else; then it ends.", 100ms, 1h),
};

const void* defaults() {
  static const Options options;
  return &options;
}

constexpr api::SettingsTable kTable{"operator", "Of the operator's looks at replicas, and itself.", kRows, defaults};

}  // namespace

const api::SettingsTable& settings() {
  return kTable;
}

}  // namespace pilotlight::op
