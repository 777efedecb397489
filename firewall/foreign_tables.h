// Tables of others beside ours. A packet passes when every table lets it, so another table can only drop more, unless
// it rewrites what others judge; that, and what it drops of what is declared, is a finding.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firewall/kernel_listing.h"
#include "firewall/table_ways.h"
#include "policy/packet_set.h"

namespace firewall {

struct ForeignQuestion {
  Interfaces interfaces;
  policy::PacketSet of_facilities;                    // with a facility's address at either end
  policy::PacketSet from_gateway, to_gateway;         // from or to an address of the gateway outside
  policy::PacketSet to_tunnels;                       // from outside to the tunnels' own ports
  policy::PacketSet to_inside, from_inside, between;  // declared
};

struct ForeignFinding {
  std::string what;  // table, chain and rule, in the kernel's words
  bool opens = false, closes = false;
  std::string says;
  std::optional<policy::PacketPoint> packet;
};

struct ForeignAnswer {
  std::vector<ForeignFinding> findings;
  std::size_t left_out = 0;        // findings that are not in the list
  std::vector<std::string> notes;  // that it could not be judged
};

[[nodiscard]] ForeignAnswer judge_foreign(const KernelTable& table, const ForeignQuestion& question);

}  // namespace firewall
