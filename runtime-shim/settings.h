// What a user can set about every shim: the table behind the section `shim:` of the file and docs/settings.md. Each stands in
// the shim's environment under a name made of the setting's (api::variableOf).
#pragma once

#include <chrono>
#include <cstddef>

#include "api/setting.h"

namespace pilotlight::shim {

struct Settings {
  // The server that gateways talk to
  std::size_t maxConnections = 60'000;
  std::chrono::milliseconds headTimeout{std::chrono::seconds(10)};
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(75)};
  std::chrono::milliseconds sendTimeout{std::chrono::seconds(60)};
  // Calling home
  std::chrono::milliseconds callHomeTimeout{std::chrono::seconds(2)};
  std::chrono::milliseconds callHomePause{5};
  std::chrono::milliseconds callHomeMaxPause{std::chrono::seconds(1)};
  std::chrono::milliseconds callHomeRefusedPause{std::chrono::seconds(15)};
  // The handler
  std::chrono::milliseconds restartPause{10};
  std::chrono::milliseconds restartMaxPause{std::chrono::seconds(10)};
  std::chrono::milliseconds restartStable{std::chrono::seconds(10)};
  int failedStarts = 5;
  std::chrono::milliseconds probeTimeout{std::chrono::seconds(1)};
  std::chrono::milliseconds handlerConnectTimeout{std::chrono::seconds(1)};
  // Below what common servers keep an idle connection (Node: 5 s), so that they seldom close one as we use it.
  std::chrono::milliseconds handlerIdleTimeout{std::chrono::seconds(4)};
  std::size_t handlerMaxIdle = 1024;
  std::size_t nativeBody = std::size_t{64} << 20;
  // The end
  std::chrono::milliseconds drainSilence{std::chrono::seconds(1)};
  std::chrono::milliseconds killTime{std::chrono::seconds(5)};
};

const api::SettingsTable& settingsTable();  ///< of Settings

}  // namespace pilotlight::shim
