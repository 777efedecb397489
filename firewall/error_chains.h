// ICMP errors about flows of tunnels: who may say them to whom (docs/decisions/0003).
#pragma once

#include <string>
#include <vector>

#include "firewall/rule_set.h"
#include "firewall/words.h"

namespace firewall {

// error_inward, error_outward: pass the error or drop it. error_across: passes it or returns. Each without the digit.
[[nodiscard]] std::vector<Chain> error_chains(const Words& words);

// "jump error_across": the rule that hands over all errors about flows.
[[nodiscard]] std::string errors_to(const Words& words, const std::string& verb_and_chain);

}  // namespace firewall
