// What a user can set about the operator in a file: the table behind the section `operator:` of it and docs/settings.md.
#pragma once

#include "api/setting.h"

namespace pilotlight::op {

/// Of OperatorOptions.
const api::SettingsTable& settings();

}  // namespace pilotlight::op
