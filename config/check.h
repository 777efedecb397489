// What the parts of a configuration mean together. Each function looks at one kind of mistake and names both sides.
// Expects services, facilities, offers sorted by name. Scales to kMaxFacilities: sorting and look-ups, no pairwise
// loops.
#pragma once

#include "config/gateway_config.h"
#include "config/report.h"

namespace config {

// Sorts, and reports a service or facility that two files define.
void sort_and_check_repeated(GatewayConfig& config, Report& report);

// References: may_use, exchanges, inside_may_reach, tests; end dates of exchanges.
void check_references(const GatewayConfig& config, WallTime now, Report& report);

inline constexpr int kSoonDays = 30, kVerySoonDays = 7;

// Exchanges and exceptions that end within kSoonDays: warnings.
void check_ends(const GatewayConfig& config, WallTime now, Report& report);

// Overlaps of networks with each other, with services, with the gateway's own and its peers' outer addresses; offers.
void check_prefixes(const GatewayConfig& config, Report& report);

// What a software client may not have: networks, offers, a role that discloses.
void check_clients(const GatewayConfig& config, Report& report);

// Line types and exceptions, keys and key files that two facilities share, sources.
void check_tunnels(const GatewayConfig& config, WallTime now, Report& report);

}  // namespace config
