// What a user can set about the gateway: the table behind the section `gateway:` of the file and docs/settings.md.
#pragma once

#include "api/setting.h"

namespace pilotlight::gateway {

/// Of GatewayOptions.
const api::SettingsTable& settings();

}  // namespace pilotlight::gateway
