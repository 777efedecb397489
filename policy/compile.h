// GatewayConfig -> Plan: every permission, route and routing rule, in the addresses everybody sees. Pure; `now` only
// decides which exchanges still hold. Expects a configuration that config::load accepted; anything else is left out.
#pragma once

#include <optional>
#include <vector>

#include "config/diagnostic.h"
#include "config/gateway_config.h"
#include "policy/plan.h"

namespace policy {

struct CompileResult {
  Plan plan;
  // Warnings: an exchange that ended, a pair without a common family, a line that opens nothing of its own
  // (redundant.h).
  std::vector<config::Diagnostic> diagnostics;
  std::optional<WallTime> next_change;  // compile again at this time: the next exchange ends
};

// 10,000 facilities with five services each take well under a second.
[[nodiscard]] CompileResult compile(const config::GatewayConfig& config, WallTime now);

}  // namespace policy
