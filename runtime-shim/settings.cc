#include "runtime-shim/settings.h"

namespace pilotlight::shim {

namespace {

using namespace std::chrono_literals;
using api::bytesRow;
using api::countRow;
using api::durationRow;

constexpr std::int64_t kKi = 1 << 10, kGi = 1 << 30;

constexpr api::Setting kRows[] = {
    countRow<&Settings::maxConnections>("maxConnections", "Of gateways; one more is closed at once.", 1, 10'000'000),
    durationRow<&Settings::headTimeout>("headTimeout", "From the first byte of a request's head to its end.", 10ms, 1h),
    durationRow<&Settings::idleTimeout>("idleTimeout", "Of a gateway's connection; more than the gateway's replicaIdleTimeout.", 10ms, 24h),
    durationRow<&Settings::sendTimeout>("sendTimeout", "For a gateway that takes nothing of an answer.", 10ms, 24h),
    durationRow<&Settings::callHomeTimeout>("callHomeTimeout", "For a gateway to take the call of a replica that is ready.", 10ms, 10min),
    durationRow<&Settings::callHomePause>("callHomePause", "Before it is called again; doubled each further time.", 1ms, 1min),
    durationRow<&Settings::callHomeMaxPause>("callHomeMaxPause", "The most that it is doubled to.", 1ms, 10min),
    durationRow<&Settings::callHomeRefusedPause>(
        "callHomeRefusedPause", "Before a gateway is called again that does not believe the call; it learns of the replica by itself.", 1ms,
        1h),
    durationRow<&Settings::restartPause>("restartPause", "Before a handler that ended is started again; doubled each further time.", 1ms,
                                         1min),
    durationRow<&Settings::restartMaxPause>("restartMaxPause", "The most that it is doubled to.", 1ms, 1h),
    durationRow<&Settings::restartStable>("restartStable", "A handler that lived so long is started again after the first pause.", 1ms,
                                          24h),
    countRow<&Settings::failedStarts>("failedStarts", "Ends in a row before it ever got ready, after which the replica ends too.", 1,
                                      1'000'000),
    durationRow<&Settings::probeTimeout>("probeTimeout", "`http`: for an answer at `pod.readyPath`, before it is asked again.", 10ms,
                                         10min),
    durationRow<&Settings::handlerConnectTimeout>("handlerConnectTimeout", "`http`: for a connection to the handler.", 10ms, 1min),
    durationRow<&Settings::handlerIdleTimeout>("handlerIdleTimeout",
                                               "`http`: of a connection to the handler; less than the handler's own time.", 10ms, 24h),
    countRow<&Settings::handlerMaxIdle>("handlerMaxIdle", "`http`: idle connections to the handler.", 0, 100'000),
    bytesRow<&Settings::nativeBody>(
        "nativeBody", "`native`: of a body kept in memory, the request's read as a whole or the answer's before it is flushed.", kKi, kGi),
    durationRow<&Settings::drainSilence>("drainSilence", "At the end, without a request from any gateway, before connections are closed.",
                                         100ms, 10min),
    durationRow<&Settings::killTime>("killTime", "At the end, for killed descendants of the handler to be gone.", 100ms, 10min),
};

const void* defaults() {
  static const Settings settings;
  return &settings;
}

constexpr api::SettingsTable kTable{
    "shim",
    "Of the process beside every handler. Taken from the file when a replica starts, as variables of its environment\n"
    "(`killTime`: `PILOTLIGHT_KILL_TIME_MS`), which handlers do not see.",
    kRows, defaults};

}  // namespace

const api::SettingsTable& settingsTable() {
  return kTable;
}

}  // namespace pilotlight::shim
