// When each line of the configuration was last used, as JSON with stable names (docs/operations/policy.md). Pure.
#pragma once

#include "gateway/daemon/accessd_views.h"
#include "policy/line_use.h"

namespace gateway::daemon {

// {"permissions": [...], "unused_after_days", "unused", "too_new", "watched_since", "error"}
[[nodiscard]] Json line_uses_view(const policy::Plan& plan, const policy::RuleUses& uses, std::uint32_t days,
                                  config::value::WallTime now, const std::string& error);

}  // namespace gateway::daemon
