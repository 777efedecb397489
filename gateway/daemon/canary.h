// A canary on its way: `sekisho apply --canary FACILITY` (docs/decisions/0018-canary.md).
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "gateway/core/canary.h"

namespace gateway::daemon {

struct CanaryAsked {
  config::value::FacilityName facility;
  std::vector<config::SourceFile> files;  // that what runs was made of; what would come back
};

// What of `candidate`, as it was read from disk below `main_path`, is to run: what was asked for, judged in everything
// but the proof. `running`: the plan of what runs, before isolation.
[[nodiscard]] core::Unproved judge_canary(const CanaryAsked& asked, const config::Loaded& candidate,
                                          const std::string& main_path, const policy::Plan& running,
                                          config::value::WallTime now);

}  // namespace gateway::daemon
