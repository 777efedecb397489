// May this packet open a flow? The answer of the plan alone, by the plain meaning of its rows: the reference that the
// guard and the firewall are tested against, and what `explain` and the configuration's own tests use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "policy/plan.h"

namespace policy {

// The first packet of a flow, in seen addresses. Ports are 0 for ICMP, where only an echo request can open a flow.
struct Packet {
  IpAddress source;
  IpAddress destination;
  config::value::IpProtocol protocol = config::value::IpProtocol::kTcp;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

enum class Reason : std::uint8_t {
  kPermitted,
  kUnknownSource,       // neither a facility's nor a service's address that may open anything
  kUnknownDestination,  // neither a service nor a facility's address
  kBetweenFacilities,   // two facilities (or one with itself) and no exchange that says so
  kNotPermitted,        // both ends known, no row for this destination
  kPort,                // a row for this destination, not for this port
  kExpired,
};

struct Decision {
  Reason reason = Reason::kUnknownSource;
  const Permission* permission = nullptr;  // into the plan: the row that permits, or that nearly did (kPort, kExpired)
  [[nodiscard]] bool allowed() const { return reason == Reason::kPermitted; }
};

[[nodiscard]] Decision decide(const Plan& plan, const Packet& packet, WallTime now);
// The rows whose addresses hold both ends, in their order; for whoever asks about many ports of one pair.
[[nodiscard]] std::vector<const Permission*> rows_between(const Plan& plan, const IpAddress& source,
                                                          const IpAddress& destination);
// The same answer, with `between` of the packet's ends.
[[nodiscard]] Decision decide(const Plan& plan, const std::vector<const Permission*>& between, const Packet& packet,
                              WallTime now);

// What the rows between its ends say of it, in their order; empty: they say nothing.
[[nodiscard]] std::optional<Decision> decide_by(const std::vector<const Permission*>& between, const Packet& packet,
                                                WallTime now);

// The facility whose seen networks hold the address, or null.
[[nodiscard]] const FacilityPlan* facility_of(const Plan& plan, const IpAddress& address);

// One sentence for a person: "allowed: facilities.hakodate.may_use[0] (sekisho.json:14:18), rule 12345".
[[nodiscard]] std::string to_text(const Decision& decision);

}  // namespace policy
