// What a packet meets before conntrack and before the kernel joins fragments, and where it leaves
// (docs/decisions/0003).
#pragma once

#include <string>
#include <vector>

#include "firewall/rule_set.h"
#include "policy/plan.h"

namespace firewall {

// In the order they must be added.
[[nodiscard]] std::vector<Chain> entry_chains(const policy::Plan& plan);

// "udp dport 51820", "meta l4proto esp": the tunnels' own packets outside, only what the plan has tunnels for; `side`
// is "sport" or "dport".
[[nodiscard]] std::vector<std::string> outer(const policy::Plan& plan, const char* side);

}  // namespace firewall
