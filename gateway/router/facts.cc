#include "gateway/router/facts.h"

#include <algorithm>

#include "policy/compile.h"
#include "policy/permissions.h"

namespace gateway::router {
namespace {

namespace ike = tunnel::ike;

// A prefix inside one of the facility's networks, seen -> real.
Prefix real_of(const Prefix& seen, const std::vector<config::Network>& networks) {
  for (const auto& network : networks)
    if (network.seen_as.contains(seen))
      return Prefix::masked(config::value::translate(seen.address(), network.seen_as, network.real), seen.length());
  return seen;
}

std::string title_of(const config::GatewayConfig& config, const policy::Permission& row) {
  if (row.kind == policy::PermissionKind::kService)
    if (const auto* service = policy::find_service(config, {row.name})) return service->title;
  const auto* facility = policy::find_facility(config, row.to_facility);
  if (facility == nullptr) return "";
  const auto* offer = policy::find_offer(*facility, {row.name.substr(row.name.find('/') + 1)});
  return offer == nullptr ? "" : offer->title;
}

void add_flows(Facts& facts, const config::GatewayConfig& config, const policy::Plan& plan) {
  const auto& networks = facts.networks;
  for (const auto& row : plan.permissions) {
    const bool from = row.from_facility.text == facts.facility, to = row.to_facility.text == facts.facility;
    if (!from && !to) continue;
    facts.flows.push_back({to, from ? real_of(row.source, networks) : row.source,
                           to ? real_of(row.destination, networks) : row.destination, row.port, row.name,
                           title_of(config, row), row.until});
    facts.others.push_back(from ? row.destination : row.source);
  }
  // As a person compares two sheets, not as the plan numbers its rows.
  std::ranges::sort(facts.flows, {}, [](const Flow& flow) {
    return std::tuple(flow.name, flow.destination, flow.source, flow.port.protocol, flow.port.first);
  });
  std::ranges::sort(facts.others);
  facts.others.erase(std::ranges::unique(facts.others).begin(), facts.others.end());
}

ike::Profile profile_of(const config::GatewayConfig& config, const config::Ikev2Tunnel& tunnel, WallTime now) {
  std::vector<ike::Exception> exceptions;
  for (const auto& each : tunnel.algorithm_exceptions)
    if (const auto transform = ike::exceptional_algorithm(each.algorithm))
      exceptions.push_back({*transform, each.why.until});
  const bool strict = config.gateway.crypto_profile == config::CryptoProfile::kIpsecStrict;
  return ike::profile_at(strict ? ike::ProfileName::kStrict : ike::ProfileName::kCompat, exceptions, now);
}

// MTU and identities are the plan's: what the gateway itself uses.
void add_tunnel(Facts& facts, const config::GatewayConfig& config, const policy::FacilityPlan& planned,
                const config::Tunnel& tunnel, WallTime now) {
  const auto& gateway = config.gateway;
  facts.protocol = tunnel.protocol;
  facts.sources = tunnel.sources;
  facts.mtu = std::min(planned.mtu, gateway.tunnel_mtu);
  facts.wireguard_exception = tunnel.wireguard.exception;
  facts.wireguard_port = gateway.wireguard.port;
  facts.wireguard_psk = tunnel.wireguard.preshared_key_file.has_value();
  facts.gateway_begins = tunnel.ikev2.endpoint.has_value() || tunnel.wireguard.endpoint.has_value();
  const auto& ikev2 = tunnel.ikev2;
  if (tunnel.protocol != config::TunnelProtocol::kIkev2) return;
  facts.gateway_id = identity_of(planned.ike->local_id);
  facts.facility_id = identity_of(planned.ike->remote_id);
  facts.certificate = ikev2.certificate.has_value();
  facts.psk_file = ikev2.psk_file.value_or("");
  if (ikev2.ppk) {
    facts.ppk_id = ikev2.ppk->id;
    facts.ppk_file = ikev2.ppk->file;
    facts.ppk_required = ikev2.ppk->required;
  }
  facts.exceptions = ikev2.algorithm_exceptions;
  facts.profile = profile_of(config, ikev2, now);
}

}  // namespace

Identity identity_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {"", std::string(text)};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

Result<Facts, std::string> facts_of(const config::GatewayConfig& config, std::string_view name, WallTime now) {
  const auto* facility = policy::find_facility(config, {std::string(name)});
  if (facility == nullptr) return std::unexpected("no facility is called '" + std::string(name) + "'");
  if (config.gateway.outside.addresses.empty()) return std::unexpected("the gateway has no outside address");
  Facts facts;
  facts.gateway = config.gateway.name;
  facts.facility = facility->name.text;
  facts.title = facility->title;
  facts.software_client = facility->software_client;
  facts.gateway_addresses = config.gateway.outside.addresses;
  facts.networks = facility->networks;
  const policy::Plan plan = policy::compile(config, now).plan;
  const auto planned = std::ranges::find(plan.facilities, facility->name, &policy::FacilityPlan::name);
  add_tunnel(facts, config, *planned, facility->tunnel, now);
  add_flows(facts, config, plan);
  if (facts.flows.empty())
    return std::unexpected("nothing is permitted to facility " + facts.facility +
                           ": give it a service in \"may_use\", or an exchange; a tunnel without any would carry "
                           "nothing, and its router has nothing to be told");
  return facts;
}

}  // namespace gateway::router
