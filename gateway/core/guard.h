// The data plane's own judgement of every inner packet (promises P1-P3), from its own compiled copy of the permissions,
// independent of selectors, routes and nftables (P4). Stateless: the forward direction of a permission, the way back
// along it, and ICMP errors about either. All addresses are seen addresses. Immutable; one is compiled per plan.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/core/inner_packet.h"
#include "gateway/core/permission_table.h"
#include "gateway/core/prefix_table.h"
#include "policy/plan.h"

namespace gateway::core {

// Index into Plan::facilities of the plan the guard was compiled from.
using FacilityIndex = std::uint32_t;
inline constexpr FacilityIndex kNoFacility = PrefixTable::kNone;

class Guard {
 public:
  Guard() = default;  // lets nothing pass
  // Refuses a plan that contradicts itself: overlapping facilities, a permission whose ends are not where it says.
  [[nodiscard]] static Result<Guard, std::string> compile(const policy::Plan& plan);

  // The facility whose seen networks hold `address`.
  [[nodiscard]] FacilityIndex facility_of(const IpAddress& address) const { return facilities_.find(address); }
  // A packet that came out of `facility`'s tunnel. Later fragments: `view.flow` completed by FragmentTable.
  [[nodiscard]] Refusal ingress(FacilityIndex facility, const InnerPacketView& view, config::value::WallTime now) const;
  // A packet about to enter the tunnel of facility_of(destination).
  [[nodiscard]] Refusal egress(const InnerPacketView& view, config::value::WallTime now) const;
  // Every packet for which a permission of the compiled table holds; who may send it, and to which address nothing ever
  // goes, is not asked. For `sekisho verify`.
  [[nodiscard]] policy::PacketSet permitted_packets(config::value::WallTime now) const {
    return permissions_.packets(now);
  }
  [[nodiscard]] std::vector<PermissionRow> permission_rows() const { return permissions_.rows(); }

 private:
  [[nodiscard]] Refusal permitted(const FlowView& flow, config::value::WallTime now) const;
  [[nodiscard]] Refusal permitted_echo(const FlowView& flow, config::value::WallTime now) const;
  [[nodiscard]] Refusal named(Match match, const FlowView& flow) const;
  [[nodiscard]] bool is_network_broadcast(const IpAddress& address) const;

  PrefixTable facilities_;
  PrefixTable broadcasts_;  // the all-zeros and all-ones host of each IPv4 network
  PermissionTable permissions_;
};

}  // namespace gateway::core
