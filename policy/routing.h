// Split horizon (design 8, docs/decisions/0003): which table a packet may look into depends on where it came from.
#pragma once

#include <vector>

#include "config/gateway_config.h"
#include "policy/plan.h"

namespace policy {

// Sorted, unique. Needs the plan's facilities and permissions.
[[nodiscard]] std::vector<Route> routes(const config::GatewayConfig& config, const Plan& plan);

// By priority. Needs the plan's interface names only.
[[nodiscard]] std::vector<RoutingRule> routing_rules(const Plan& plan);

}  // namespace policy
