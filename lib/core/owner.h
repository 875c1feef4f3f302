// Which gateway gives out a limited function's slots: the one that its FunctionRoute's status names, as long as it can be asked,
// and after that the one which all prefer among those that are left. Pure. docs/adr/0014 has the whole.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

/// By rendezvous (highest random weight, Thaler and Ravishankar 1998): all who know the same gateways choose the same one, and
/// one that comes or goes moves only its own share. Null: there is none.
const std::string* preferredGateway(std::string_view function, const std::vector<std::string>& gateways);

struct OwnerChoice {
  std::string gateway;     ///< to ask
  std::int64_t epoch = 0;  ///< of the owner that the asker knows of
  bool gone = false;       ///< that owner can't be asked: who is asked takes over
};

/// `record`: the owner as last heard. `self`, `instance`: who asks. `gateways`: those that can be asked, by name.
/// Nobody left to ask: `self`.
OwnerChoice chooseOwner(std::string_view function, const std::optional<api::RouteOwner>& record, const std::string& self,
                        const std::string& instance, const std::vector<std::string>& gateways);

/// Who was asked and is not the owner: whether it becomes it. False: the asker has to ask `known`.
bool takesOver(const std::optional<api::RouteOwner>& known, const std::string& self, std::int64_t askedEpoch);

}  // namespace pilotlight::core
