// When each line of the configuration was last used, as JSON with stable names (docs/operations/policy.md). Pure.
#pragma once

#include "gateway/daemon/accessd_views.h"
#include "policy/line_use.h"

namespace gateway::daemon {

inline constexpr std::size_t kMostLineUses = 20'000;  // in one answer

struct LineUsesQuestion {
  std::string facility;      // of one alone; empty: all
  std::uint64_t unused = 0;  // only those that were watched and not used for so many days; 0: all
  std::uint32_t days = 90;   // gateway.unused_after_days
};

// {"permissions": [...], "all", "unused_after_days", "unused", "too_new", "watched_since"}; "all": how many there are,
// also those beyond the bound. The sums are of the facility asked about.
[[nodiscard]] Json line_uses_view(const policy::Plan& plan, const policy::RuleUses& uses,
                                  const LineUsesQuestion& question, config::value::WallTime now);

}  // namespace gateway::daemon
