// The chains: fixed text but for the two interface names, the gateway's outside addresses and its tunnel port.
#pragma once

#include <vector>

#include "firewall/rule_set.h"
#include "policy/plan.h"

namespace firewall {

[[nodiscard]] std::vector<std::string> refusal_counters();

// One for each refusal reason, "drop_REASON": counts, samples to NFLOG, drops.
[[nodiscard]] std::vector<Chain> drop_chains();

// The closed table's, in the order they must be added. See compile.h.
[[nodiscard]] std::vector<Chain> closed_chains(const std::string& outside_interface);

// In the order they must be added: a jump target stands before its callers.
[[nodiscard]] std::vector<Chain> chains_of(const policy::Plan& plan);

}  // namespace firewall
