#include "gateway/core/layers.h"

#include <algorithm>
#include <charconv>

#include "firewall/compile.h"
#include "firewall/first_packet.h"
#include "gateway/core/ike_peers.h"

namespace gateway::core {
namespace {

using config::value::IpProtocol;
using config::value::WallTime;
using policy::FacilityPlan;
using policy::NetworkMap;
using policy::Plan;

InnerPacketView view_of(const policy::Packet& packet) {
  InnerPacketView view;
  view.flow.source = packet.source;
  view.flow.destination = packet.destination;
  view.flow.protocol = static_cast<std::uint8_t>(packet.protocol);
  view.flow.source_port = packet.source_port;
  view.flow.destination_port = packet.destination_port;
  if (packet.protocol == IpProtocol::kTcp) view.flow.tcp_flags = kTcpSyn;
  if (packet.protocol == IpProtocol::kIcmp || packet.protocol == IpProtocol::kIcmpV6)
    view.flow.icmp = IcmpKind::kEchoRequest;
  return view;
}

const NetworkMap* network_of(const FacilityPlan& facility, const IpAddress& seen) {
  for (const NetworkMap& network : facility.networks)
    if (network.seen.contains(seen)) return &network;
  return nullptr;
}

std::string protocol_word(const FacilityPlan& facility) {
  return facility.ike ? "IKEv2" : "WireGuard";
}

// "192.168.1.7 (seen as 100.64.1.7)": what the facility's router meets.
std::string real_text(const NetworkMap& network, const IpAddress& seen) {
  if (network.real == network.seen) return seen.to_string();
  return config::value::translate(seen, network.seen, network.real).to_string() + " (seen as " + seen.to_string() + ")";
}

// IKEv2 agrees on both ends (RFC 7296 2.9), WireGuard on the facility's alone.
std::string other_end_fault(const Plan& plan, const FacilityPlan& facility, const IpAddress& other) {
  if (!facility.ike) return "";
  const auto reached = destinations_of(plan);
  const auto found = reached.find(facility.name.text);
  const bool fits = found != reached.end() &&
                    std::ranges::any_of(found->second, [&](const auto& prefix) { return prefix.contains(other); });
  return fits ? "" : other.to_string() + " is in no selector of its tunnel";
}

LayerAnswer guard_answer(const std::string& facility, Refusal refusal, const char* way) {
  const bool passes = refusal == Refusal::kNone;
  const std::string says =
      std::string(way) + ": " + (passes ? "permitted" : "refused, " + std::string(refusal_name(refusal)));
  return {"guard", facility, passes, says};
}

std::string table_text(policy::RouteTable table) {
  return "table " + std::to_string(static_cast<std::uint32_t>(table));
}

const policy::Route* longest(const Plan& plan, policy::RouteTable table, const IpAddress& destination) {
  const policy::Route* best = nullptr;
  for (const policy::Route& route : plan.routes)
    if (route.table == table && route.destination.contains(destination) &&
        (best == nullptr || route.destination.length() > best->destination.length()))
      best = &route;
  return best;
}

struct Routed {
  std::string interface;  // empty: goes nowhere
  std::string says;
};

// The rules by priority, as `ip rule` has them; a table without a route for it hands on to the next rule.
Routed route_of(const Plan& plan, const std::string& incoming, std::uint32_t mark, const IpAddress& destination) {
  for (const policy::RoutingRule& rule : plan.rules) {
    if (!rule.incoming_interface.empty() && rule.incoming_interface != incoming) continue;
    if (rule.mark != 0 && rule.mark != mark) continue;
    const std::string at = "rule " + std::to_string(rule.priority);
    if (rule.prohibit) return {"", at + ": prohibited"};
    const policy::Route* route = longest(plan, rule.table, destination);
    if (route == nullptr) continue;
    const std::string found = at + ", " + table_text(rule.table) + ": " + route->destination.to_string();
    if (route->interface.empty()) return {"", found + " is unreachable"};
    return {route->interface,
            found + " by " + route->interface + (route->via ? " via " + route->via->to_string() : "")};
  }
  return {"", "no rule of the gateway's names it"};
}

std::string table_says(const firewall::TableAnswer& answer) {
  if (!answer.passes) return answer.where + ": refused, " + answer.reason;
  return answer.where + (answer.rule == 0 ? "" : ", rule " + std::to_string(answer.rule));
}

}  // namespace

Result<Layers, std::string> Layers::compile(const Plan& plan) {
  auto guard = TRY(Guard::compile(plan));
  return Layers(plan, std::move(guard), firewall::compile(plan));
}

LayerAnswer Layers::tunnel_answer(const FacilityPlan& facility, const IpAddress& near, const IpAddress& far,
                                  const std::string& way) const {
  if (facility.isolated) return {"tunnel", facility.name.text, false, "it is isolated: it has no tunnel"};
  const NetworkMap* network = network_of(facility, near);
  const std::string fault = other_end_fault(*plan_, facility, far);
  const std::string says = protocol_word(facility) + ": ";
  if (network == nullptr) return {"tunnel", facility.name.text, false, says + near.to_string() + " is foreign"};
  if (!fault.empty()) return {"tunnel", facility.name.text, false, says + fault};
  return {"tunnel", facility.name.text, true,
          says + real_text(*network, near) + " may " + way + " it, in " + network->real.to_string()};
}

// Prerouting gives the mark that the routing rules ask for, and `forward` the last word.
void Layers::ask_kernel(const policy::Packet& packet, bool from_tunnel, std::vector<LayerAnswer>& out) const {
  using firewall::Side;
  const firewall::FirstPacket first{from_tunnel ? Side::kTunnels : Side::kInside, packet.source, packet.destination,
                                    packet.protocol, packet.destination_port};
  const auto before = firewall::before_routing(table_, first);
  const std::string incoming = from_tunnel ? policy::kTunnelInterface : plan_->inside_interface;
  const auto routed = route_of(*plan_, incoming, before.exchange ? policy::kExchangeMark : 0, packet.destination);
  out.push_back({"route", "", !routed.interface.empty(), routed.says});
  if (!before.passes || routed.interface.empty()) {
    out.push_back({"nftables", "", before.passes, table_says(before)});
    return;
  }
  const auto to = routed.interface == policy::kTunnelInterface ? Side::kTunnels : Side::kInside;
  const auto last = firewall::forwarded(table_, first, to);
  out.push_back({"nftables", "", last.passes, table_says(last)});
}

std::vector<LayerAnswer> Layers::ask(const policy::Packet& packet, WallTime now) const {
  std::vector<LayerAnswer> out;
  const FacilityIndex from = guard_.facility_of(packet.source), to = guard_.facility_of(packet.destination);
  const auto view = view_of(packet);
  if (from != kNoFacility) {
    const FacilityPlan& facility = plan_->facilities[from];
    out.push_back(tunnel_answer(facility, packet.source, packet.destination, "come out of"));
    out.push_back(guard_answer(facility.name.text, guard_.ingress(from, view, now), "out of the tunnel"));
  }
  ask_kernel(packet, from != kNoFacility, out);
  if (to != kNoFacility) {
    const FacilityPlan& facility = plan_->facilities[to];
    out.push_back(guard_answer(facility.name.text, guard_.egress(view, now), "into the tunnel"));
    out.push_back(tunnel_answer(facility, packet.destination, packet.source, "go into"));
  }
  return out;
}

bool all_pass(const std::vector<LayerAnswer>& answers) {
  return !answers.empty() && std::ranges::all_of(answers, &LayerAnswer::passes);
}

}  // namespace gateway::core
