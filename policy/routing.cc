#include "policy/routing.h"

#include <algorithm>

namespace policy {
namespace {

using config::value::Family;

Prefix everything(Family family) {
  return Prefix::masked(family == Family::kV4 ? IpAddress{} : IpAddress::v6({}), 0);
}

void add_unreachable_default(std::vector<Route>& out, RouteTable table) {
  for (const Family family : {Family::kV4, Family::kV6}) out.push_back({table, everything(family), "", std::nullopt});
}

std::optional<IpAddress> next_hop(const config::Inside& inside, Family family) {
  for (const IpAddress& hop : inside.next_hops)
    if (hop.family() == family) return hop;
  return std::nullopt;
}

// The kernel has to know a line that takes less than sekisho0 does: it cuts what may be cut (RFC 791 2.3) and tells the
// sender of what may not. The data plane can only refuse.
std::uint16_t route_mtu(const FacilityPlan& facility, const Plan& plan) {
  return facility.mtu < plan.tunnel_mtu ? facility.mtu : std::uint16_t{0};
}

std::uint16_t route_mtu(const FacilityName& name, const Plan& plan) {
  const auto found = std::ranges::lower_bound(plan.facilities, name, {}, &FacilityPlan::name);
  return found == plan.facilities.end() || found->name != name ? std::uint16_t{0} : route_mtu(*found, plan);
}

}  // namespace

std::vector<Route> routes(const config::GatewayConfig& config, const Plan& plan) {
  std::vector<Route> out;
  add_unreachable_default(out, RouteTable::kFromTunnels);
  add_unreachable_default(out, RouteTable::kExchange);
  for (const config::Service& service : config.services)
    for (const IpAddress& address : service.addresses)
      for (const RouteTable table : {RouteTable::kFromTunnels, RouteTable::kOwnToServices})
        out.push_back(
            {table, Prefix::host(address), plan.inside_interface, next_hop(config.gateway.inside, address.family())});
  for (const FacilityPlan& facility : plan.facilities)
    for (const NetworkMap& network : facility.networks)
      out.push_back(
          {RouteTable::kToFacilities, network.seen, kTunnelInterface, std::nullopt, route_mtu(facility, plan)});
  for (const Permission& row : plan.permissions) {
    if (row.kind != PermissionKind::kExchange) continue;
    out.push_back({RouteTable::kExchange, row.source, kTunnelInterface, std::nullopt,
                   route_mtu(row.from_facility, plan)});  // the way back
    out.push_back(
        {RouteTable::kExchange, row.destination, kTunnelInterface, std::nullopt, route_mtu(row.to_facility, plan)});
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<RoutingRule> routing_rules(const Plan& plan) {
  // Each look-up is followed by a prohibit for the same packets: an emptied table never falls through to a default
  // route. The gateway's own packets ("lo") go on to the main table, so neither 7102 nor 7104 has a
  // default. Without 7104 an ICMP error to a service goes where the host's own routes say: outside, in clear.
  return {
      {7100, kTunnelInterface, kExchangeMark, RouteTable::kExchange, false},
      {7101, kTunnelInterface, kExchangeMark, RouteTable::kExchange, true},
      {7110, kTunnelInterface, 0, RouteTable::kFromTunnels, false},
      {7111, kTunnelInterface, 0, RouteTable::kFromTunnels, true},
      {7120, plan.inside_interface, 0, RouteTable::kToFacilities, false},
      {7121, plan.inside_interface, 0, RouteTable::kToFacilities, true},
      {7130, "lo", 0, RouteTable::kToFacilities, false},
      {7131, "lo", 0, RouteTable::kOwnToServices, false},
      {7140, plan.outside_interface, 0, RouteTable::kToFacilities, true},
  };
}

}  // namespace policy
