#include "policy/compile.h"

#include <algorithm>

#include "policy/permissions.h"
#include "policy/routing.h"

namespace policy {
namespace {

const std::vector<AlgorithmException> kNoExceptions;

// Inner octets that fit 1500 outer ones in every form ESP has here. The largest is AES-CBC with HMAC-SHA-512 in UDP
// over IPv6: 40 + 8 + 8 + 16 + (1380 + 2, padded to 1392) + 32 = 1496.
constexpr std::uint16_t kEspMtu = 1380;

IkePeer ike_peer(const config::Gateway& gateway, const config::Ikev2Tunnel& tunnel) {
  IkePeer peer;
  peer.remote_id = tunnel.remote_id;
  peer.local_id = tunnel.local_id.value_or(gateway.ikev2.local_id);
  if (peer.local_id.empty() && !gateway.outside.addresses.empty())
    peer.local_id = "ip:" + gateway.outside.addresses.front().to_string();
  peer.preshared_key = tunnel.psk_file.value_or("");
  if (tunnel.certificate) {
    peer.authority_file = tunnel.certificate->authority_file;
    peer.revocation_list_file = tunnel.certificate->revocation_list_file.value_or("");
    peer.revocation = tunnel.certificate->revocation;
    peer.list_grace_days = tunnel.certificate->list_grace_days;
  }
  peer.endpoint = tunnel.endpoint;
  peer.always_in_udp = tunnel.encapsulation == config::Encapsulation::kUdp;
  if (tunnel.ppk) peer.ppk_id = tunnel.ppk->id, peer.ppk = tunnel.ppk->file, peer.ppk_required = tunnel.ppk->required;
  for (const auto& exception : tunnel.algorithm_exceptions)
    peer.exceptions.push_back({exception.algorithm, exception.why.until});
  std::sort(peer.exceptions.begin(), peer.exceptions.end());
  return peer;
}

FacilityPlan facility_plan(const config::GatewayConfig& config, const config::Facility& facility) {
  FacilityPlan out;
  out.name = facility.name;
  out.title = facility.title;
  for (const config::Network& network : facility.networks) out.networks.push_back({network.real, network.seen_as});
  std::sort(out.networks.begin(), out.networks.end());
  out.sources = facility.tunnel.sources;
  std::sort(out.sources.begin(), out.sources.end());
  out.mtu = facility.tunnel.mtu.value_or(config.gateway.tunnel_mtu);
  if (facility.tunnel.protocol == config::TunnelProtocol::kIkev2) {
    out.mtu = facility.tunnel.mtu.value_or(std::min(config.gateway.tunnel_mtu, kEspMtu));
    out.ike = ike_peer(config.gateway, facility.tunnel.ikev2);
    return out;
  }
  const config::WireguardTunnel& tunnel = facility.tunnel.wireguard;
  out.wireguard.public_key = tunnel.public_key;
  out.wireguard.preshared_key = tunnel.preshared_key_file.value_or("");
  out.wireguard.endpoint = tunnel.endpoint;
  out.wireguard.persistent_keepalive_seconds = tunnel.persistent_keepalive_seconds.value_or(0);
  return out;
}

Plan plan_of_gateway(const config::GatewayConfig& config) {
  const config::Gateway& gateway = config.gateway;
  Plan plan;
  plan.gateway_name = gateway.name;
  plan.outside_interface = gateway.outside.interface;
  plan.outside_addresses = gateway.outside.addresses;
  std::sort(plan.outside_addresses.begin(), plan.outside_addresses.end());
  const bool wireguard = has_wireguard(config);
  plan.wireguard_port = wireguard ? gateway.wireguard.port : std::uint16_t{0};
  plan.gateway_key = wireguard ? gateway.wireguard.private_key_file : "";
  plan.ikev2 = has_ikev2(config);
  plan.crypto_profile = gateway.crypto_profile;
  plan.certificate_file = gateway.ikev2.certificate_file.value_or("");
  plan.signing_key = gateway.ikev2.private_key_file.value_or("");
  plan.inside_interface = gateway.inside.interface;
  plan.tunnel_mtu = gateway.tunnel_mtu;
  plan.offloads = gateway.offloads;
  plan.live = gateway.live;
  return plan;
}

}  // namespace

CompileResult compile(const config::GatewayConfig& config, WallTime now) {
  CompileResult result;
  result.plan = plan_of_gateway(config);
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
  for (const FacilityPlan& facility : result.plan.facilities)
    for (const AlgorithmException& exception : facility.ike ? facility.ike->exceptions : kNoExceptions)
      if (now < exception.until && (!result.next_change || exception.until < *result.next_change))
        result.next_change = exception.until;
  return result;
}

}  // namespace policy
