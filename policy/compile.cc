#include "policy/compile.h"

#include <algorithm>

#include "policy/permissions.h"
#include "policy/routing.h"

namespace policy {
namespace {

FacilityPlan facility_plan(const config::GatewayConfig& config, const config::Facility& facility) {
  FacilityPlan out;
  out.name = facility.name;
  out.title = facility.title;
  for (const config::Network& network : facility.networks) out.networks.push_back({network.real, network.seen_as});
  std::sort(out.networks.begin(), out.networks.end());
  out.sources = facility.tunnel.sources;
  std::sort(out.sources.begin(), out.sources.end());
  out.mtu = facility.tunnel.mtu.value_or(config.gateway.tunnel_mtu);
  if (facility.tunnel.protocol != config::TunnelProtocol::kWireguard) return out;  // no key: no WireGuard peer
  const config::WireguardTunnel& tunnel = facility.tunnel.wireguard;
  out.wireguard.public_key = tunnel.public_key;
  out.wireguard.preshared_key = tunnel.preshared_key_file.value_or("");
  out.wireguard.endpoint = tunnel.endpoint;
  out.wireguard.persistent_keepalive_seconds = tunnel.persistent_keepalive_seconds.value_or(0);
  return out;
}

Plan plan_of_gateway(const config::Gateway& gateway) {
  Plan plan;
  plan.gateway_name = gateway.name;
  plan.outside_interface = gateway.outside.interface;
  plan.outside_addresses = gateway.outside.addresses;
  std::sort(plan.outside_addresses.begin(), plan.outside_addresses.end());
  plan.wireguard_port = gateway.wireguard.port;
  plan.gateway_key = gateway.wireguard.private_key_file;
  plan.inside_interface = gateway.inside.interface;
  plan.tunnel_mtu = gateway.tunnel_mtu;
  return plan;
}

}  // namespace

CompileResult compile(const config::GatewayConfig& config, WallTime now) {
  CompileResult result;
  result.plan = plan_of_gateway(config.gateway);
  for (const config::Facility& facility : config.facilities)
    result.plan.facilities.push_back(facility_plan(config, facility));
  PermissionBuilder rows(config, now);
  rows.add_services();
  rows.add_exchanges();
  rows.add_inside();
  result.plan.permissions = rows.take();
  result.plan.routes = routes(config, result.plan);
  result.plan.rules = routing_rules(result.plan);
  result.diagnostics = rows.diagnostics();
  result.next_change = rows.next_change();
  return result;
}

}  // namespace policy
