// What the kernel has of links, addresses, routes and routing rules: all of it, as values, by dumps of rtnetlink. Read
// only, without any right. What is not known of a route or rule makes it not plain (policy/kernel_routes.h).
#pragma once

#include <string>
#include <vector>

#include "gateway/core/live_state.h"
#include "gateway/os/error.h"

namespace gateway::os {

// Tables of iptables before nftables, which the ruleset of nftables does not have: {"ip", "nat"}. `directory`: where
// the kernel names them. None where their modules are not loaded.
[[nodiscard]] OsResult<std::vector<std::pair<std::string, std::string>>> legacy_tables(
    const std::string& directory = "/proc/net");

// Fills links, addresses and routes. A kernel that does not answer within seconds is an error.
// `interfaces`: those whose filters of traffic control are asked for.
[[nodiscard]] OsResult<void> read_kernel_facts(core::KernelState& state, const std::vector<std::string>& interfaces);

}  // namespace gateway::os
