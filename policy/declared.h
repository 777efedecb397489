// What a configuration declares, as exact packet sets, in the addresses everybody sees: read from its words alone, by
// other means than compile, so that what was compiled can be held against it.
#pragma once

#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "policy/packet_set.h"
#include "policy/plan.h"

namespace policy {

struct DeclaredFacility {
  FacilityName name;
  std::vector<AddressRange> networks;  // seen
};

// Packets that may open a flow.
struct DeclaredPackets {
  PacketSet to_inside;    // of facilities, to services
  PacketSet between;      // of facilities, to hosts that others offer in exchanges
  PacketSet from_inside;  // of services, to hosts that facilities offer
};

struct Declared {
  std::vector<DeclaredFacility> facilities;
  // Nothing is from or for the two addresses of an IPv4 network that are no host's (RFC 1812 5.3.5): `check` warns of a
  // line that names one.
  DeclaredPackets packets;
  // With those two: the words say "network". Only the guard knows the difference.
  DeclaredPackets by_network;
};

// Exchanges that have ended by `now` declare nothing.
[[nodiscard]] Declared declared(const config::GatewayConfig& config, WallTime now);

// The same of the rows of a plan, which were proved equal to the words when it was applied: for what runs, whose words
// may have changed on disk meanwhile.
[[nodiscard]] Declared declared_by(const Plan& plan, WallTime now);

// The two addresses of each network that are no host's; /31, /32 and IPv6 have none.
[[nodiscard]] std::vector<AddressRange> no_hosts(const std::vector<AddressRange>& networks);

}  // namespace policy
