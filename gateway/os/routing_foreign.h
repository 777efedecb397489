// Routing rules of others that stand before ours: a packet they take never comes to 7100..7140 (docs/decisions/0003).
#pragma once

#include <string>
#include <vector>

#include "gateway/os/routing.h"

namespace gateway::os {

struct ForeignRule {
  std::string text;  // "rule IPv4 100 from all lookup 254 of others diverts our packets"
  bool removed = false;
};

// Removes what stands before the last rule of `ours` and could take a packet that comes in by an interface of `ours`.
// Left alone: the look-up of the host's own addresses, VRF, rules for another interface, for a mark that neither we nor
// the kernel set, for the host's own sockets (oif), and from sources that are no facility's and no service's. Both
// families. What was found, removed or not; only a kernel that does not answer is an error.
[[nodiscard]] OsResult<std::vector<ForeignRule>> remove_diverting_rules(const RoutingState& ours);

}  // namespace gateway::os
