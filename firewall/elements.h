// The sets and maps: who may pass, as keyed elements. Sources are looked up in two constant steps: address -> class
// mark (interval map), then class . destination . protocol . port -> rule number (hash map; port ranges in an interval
// map).
#pragma once

#include <vector>

#include "firewall/rule_set.h"
#include "policy/plan.h"

namespace firewall {

// Names are made of a stem and the family: "service4", "service6".
//   facility   every facility's seen networks
//   reach      hosts inside that some row names: the only ones a tunnel's packet may be for
//   source     outer addresses that facilities are known to come from
//   fragments  filled by the kernel: outer sources of fragments, each with its rate
//   flows      filled by the kernel: facility number, with the flows it has open
//   class      seen network -> class mark, unique for each network
//   service, exchange     class . destination . protocol . port -> rule number
//   inside                source . destination . protocol . port -> rule number
//   *_range               network . destination . protocol . ports -> rule number, for rows that open more than one
//   port
//   *_echo                without protocol and port: echo requests
//   site       seen network -> facility number, the same for all networks of a facility and for both families
//   ends_service, ends_inside, opens_exchange, answers_exchange (no family)
//              rule number . facility number of the facility that is a party of the rule: for ICMP errors about a flow
[[nodiscard]] std::vector<Set> sets_of(const policy::Plan& plan);

// What of them the rows bring in of which one of `parties` is an end; without hosts inside that other rows name too
// ("reach"). With these elements gone nothing of the parties passes.
[[nodiscard]] std::vector<Set> elements_of_parties(const policy::Plan& plan,
                                                   const std::vector<policy::FacilityName>& parties);

}  // namespace firewall
