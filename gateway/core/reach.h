// What can pass through the whole gateway, as exact packet sets, from what each layer is given: the tunnels' selectors
// with the 1:1 translation, the guard's compiled permissions, the routing rules and tables, and the chains and elements
// of nftables. Not from the configuration, and not from the plan's rows. Layers (layers.h) asks the same layers about
// one packet, by other means; the tests hold one against the other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "config/value/result.h"
#include "firewall/passing.h"
#include "firewall/rule_set.h"
#include "gateway/core/guard.h"
#include "policy/packet_set.h"
#include "policy/plan.h"
#include "policy/routed.h"

namespace gateway::core {

// A layer of P4 that is not there. kRoutes: a packet may then leave by any interface of the gateway.
enum class Missing : std::uint8_t { kNothing, kSelectors, kGuard, kRoutes, kNftables };

// Sets of packets that open a flow, in seen addresses. A facility's packet is known by its source, as no two facilities
// share an address (else the guard does not compile).
struct Reach {
  policy::PacketSet to_inside;       // out of a facility's tunnel, by the inside interface
  policy::PacketSet between;         // out of one tunnel, into one (that of its destination)
  policy::PacketSet to_elsewhere;    // out of a tunnel, by the outside or another interface
  policy::PacketSet to_gateway;      // out of a tunnel, to the gateway itself
  policy::PacketSet from_inside;     // from inside, into the tunnel of the destination
  policy::PacketSet inside_forward;  // from inside, by any other interface
  policy::PacketSet from_outside;    // from outside, anywhere but to the gateway itself
  policy::PacketSet from_gateway;    // of the gateway itself, into a tunnel
};

// Answers that come back, written by the flow they answer. Without from_outside and what never is.
struct Answers {
  policy::PacketSet to_inside, between, from_inside;  // named by the way of the flow, not of the answer
};

// Packets of flows that the tunnel of their source, or of their destination, carries.
struct Selectors {
  policy::PacketSet own_end;  // of facilities whose tunnel looks at their own side alone
  policy::PacketSet both_ends;
  [[nodiscard]] policy::PacketSet of(const policy::PacketSet& packets) const {
    return (packets & own_end) | (packets & both_ends);
  }
};

// What is not nftables, as it was read back from kernel and data plane.
struct Installed {
  policy::KernelRoutes routes;
  Selectors at_source, at_destination;                     // in seen addresses
  std::vector<std::vector<policy::AddressRange>> sources;  // of each facility of the plan: what comes out of its tunnel
  policy::PacketSet of_facilities;                         // with a source that the guard calls one's
  policy::PacketSet permitted;                             // by the guard's rows, without addresses that are nobody's
  std::vector<policy::AddressRange> here;                  // addresses of the gateway
};

class Reachability {
 public:
  // All three must outlive the result, and `guard` be compiled from `plan`.
  Reachability(const policy::Plan& plan, const firewall::RuleSet& table, const Guard& guard,
               config::value::WallTime now);
  // The same from what was read back (live_proof.h): of `plan` only the names of the interfaces and its addresses
  // outside count.
  Reachability(const policy::Plan& plan, const firewall::RuleSet& table, const Installed& installed);

  // The error: a rule of the table that is not understood.
  [[nodiscard]] config::value::Result<Reach, std::string> openings(Missing missing = Missing::kNothing);
  [[nodiscard]] config::value::Result<Answers, std::string> answers();

  // Of each facility of the plan: the sources that come out of its tunnel, in seen addresses (P2).
  [[nodiscard]] const std::vector<std::vector<policy::AddressRange>>& sources_of_tunnels() const { return sources_; }
  // Which rules of nftables accept this packet on its way from `in`.
  [[nodiscard]] std::vector<std::string> accepting_rules(const std::string& in, const policy::PacketPoint& packet);

 private:
  using Exits = std::map<std::string, policy::PacketSet>;  // by interface
  [[nodiscard]] config::value::Result<Exits, std::string> kernel(const std::string& in, policy::PacketSet packets,
                                                                 bool answers, Missing missing);
  // Of everything, made once. What other layers refuse is taken out behind: each of them only ever takes away, and the
  // kernel's sets stay few intervals as long as they know no single facility's rows.
  [[nodiscard]] config::value::Result<const Exits*, std::string> exits(const std::string& in, bool answers,
                                                                       Missing missing);
  [[nodiscard]] config::value::Result<void, std::string> forward(const std::string& in, const policy::Routed& routed,
                                                                 const firewall::Mark& mark, bool answers,
                                                                 bool filtered, Exits& out);
  [[nodiscard]] config::value::Result<std::vector<policy::Routed>, std::string> routed(const std::string& in,
                                                                                       const firewall::Marked& group,
                                                                                       bool answers, Missing missing);
  [[nodiscard]] config::value::Result<policy::PacketSet, std::string> to_gateway(bool filtered);
  [[nodiscard]] policy::PacketSet through_guard(const policy::PacketSet& packets, Missing missing) const;

  void read_selectors();

  const policy::Plan& plan_;
  firewall::Passing passing_;
  policy::Routing routing_;
  Selectors at_source_, at_destination_;
  std::map<std::tuple<std::string, bool, Missing>, Exits> exits_;
  struct Forwarded {
    policy::PacketSet packets, passing;
  };
  std::map<firewall::Road, std::map<firewall::Mark, Forwarded>> forwarded_;  // without routes often the same
  std::vector<std::vector<policy::AddressRange>> sources_;
  policy::PacketSet of_facilities_;               // with a source that is one's
  std::vector<policy::AddressRange> here_;        // addresses of the gateway, as far as they are known
  policy::PacketSet guard_forward_, guard_back_;  // back: what the stateless guard takes for an answer
};

}  // namespace gateway::core
