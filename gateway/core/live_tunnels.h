// The data plane's tunnels and guard as it told them, as the sets that the proof takes, and against the plan. For
// live_proof.cc.
#pragma once

#include <vector>

#include "gateway/core/live_proof.h"
#include "gateway/core/live_state.h"
#include "gateway/core/reach.h"
#include "policy/plan.h"

namespace gateway::core {

struct InstalledTunnels {
  Installed installed;  // without routes and addresses
  std::vector<LiveDifference> differences;
};

[[nodiscard]] InstalledTunnels installed_tunnels(const policy::Plan& plan, const TunnelState& told,
                                                 config::value::WallTime now);

}  // namespace gateway::core
