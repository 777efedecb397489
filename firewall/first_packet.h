// What the table would do with the first packet of a flow, read from the very elements that the kernel is given: for
// people who ask why (`sekisho explain`). It walks the chains of chains.cc by hand, as far as they judge who may open
// what to whom; limits, fragments and ICMP errors are not asked. Nothing is decided by it.
#pragma once

#include <cstdint>
#include <string>

#include "config/value/address.h"
#include "config/value/port.h"
#include "firewall/rule_set.h"

namespace firewall {

enum class Side : std::uint8_t { kTunnels, kInside };  // sekisho0, the inside interface

struct FirstPacket {
  Side from = Side::kTunnels;
  config::value::IpAddress source, destination;                          // seen addresses
  config::value::IpProtocol protocol = config::value::IpProtocol::kTcp;  // ICMP: an echo request
  std::uint16_t port = 0;                                                // destination; 0 for echo
};

struct TableAnswer {
  bool passes = false;
  std::string where;       // "to_inside4: service4", "mark_exchange4": the chain, and the map that holds the flow
  std::string reason;      // of a refusal: a name of reasons.h
  std::uint32_t rule = 0;  // what the map says
  bool exchange = false;   // before routing: gets the mark that selects the table of exchanges
};

[[nodiscard]] TableAnswer before_routing(const RuleSet& table, const FirstPacket& packet);
// In the chain `forward`, of a packet that before_routing let pass, on its way to `to`.
[[nodiscard]] TableAnswer forwarded(const RuleSet& table, const FirstPacket& packet, Side to);

}  // namespace firewall
