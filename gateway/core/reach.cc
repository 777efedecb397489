#include "gateway/core/reach.h"

#include <algorithm>

#include "gateway/core/ike_peers.h"
#include "policy/declared.h"

namespace gateway::core {
namespace {

using config::value::Result;
using config::value::WallTime;
using firewall::Mark;
using firewall::Marked;
using firewall::Road;
using policy::AddressRange;
using policy::PacketBox;
using policy::PacketSet;
using policy::Plan;

// Translation::to_seen of every source that the tunnel lets out: of two networks that hold an address, the first
// counts. Where nothing is translated the addresses stay.
std::vector<AddressRange> seen_sources(const policy::FacilityPlan& facility) {
  std::vector<AddressRange> out;
  PacketSet before;
  for (const policy::NetworkMap& network : facility.networks) {
    const PacketSet real = PacketSet::from({policy::range_of(network.real)});
    for (const AddressRange& range : (real - before).sources())
      out.push_back({config::value::translate(range.first, network.real, network.seen),
                     config::value::translate(range.last, network.real, network.seen)});
    before = before | real;
  }
  return out;
}

// A flow's packets the other way, whatever their port: the guard knows no flows and takes them for answers.
PacketSet turned_round(const PacketSet& packets) {
  std::vector<PacketBox> boxes;
  for (PacketBox box : packets.boxes()) {
    if (box.first_protocol != kProtocolTcp && box.first_protocol != kProtocolUdp) continue;
    std::swap(box.source, box.destination);
    box.first_port = 0, box.last_port = 0xffff;
    boxes.push_back(box);
  }
  return PacketSet::of(boxes);
}

}  // namespace

Reachability::Reachability(const Plan& plan, const firewall::RuleSet& table, const Guard& guard, WallTime now)
    : plan_(plan), passing_(table), routing_(plan) {
  read_selectors();
  std::vector<AddressRange> networks;
  for (const auto& facility : plan.facilities)
    for (const auto& network : facility.networks) networks.push_back(policy::range_of(network.seen));
  const auto nobody = policy::no_hosts(networks);
  const PacketSet refused = PacketSet::from(nobody) | PacketSet::to(nobody);
  const PacketSet permitted = guard.permitted_packets(now);
  guard_forward_ = permitted - refused;
  guard_back_ = turned_round(permitted) - refused;
  of_facilities_ = PacketSet::from(networks);
  for (const auto& facility : plan.facilities) sources_.push_back(seen_sources(facility));
  for (const auto& address : plan.outside_addresses) here_.push_back({address, address});
}

Reachability::Reachability(const Plan& plan, const firewall::RuleSet& table, const Installed& installed)
    : plan_(plan),
      passing_(table, firewall::Passing::Unknown::kEither),
      routing_(installed.routes),
      at_source_(installed.at_source),
      at_destination_(installed.at_destination),
      sources_(installed.sources),
      of_facilities_(installed.of_facilities),
      here_(installed.here),
      guard_forward_(installed.permitted),
      guard_back_(turned_round(installed.permitted)) {}

// WireGuard looks at the facility's own end, IKEv2 at both (RFC 7296 2.9).
void Reachability::read_selectors() {
  const bool any = std::ranges::any_of(plan_.facilities, [](const auto& each) { return each.ike.has_value(); });
  const auto others = any ? destinations_of(plan_) : decltype(destinations_of(plan_))();
  std::vector<AddressRange> sources, destinations;
  std::vector<PacketBox> from, to;
  for (const auto& facility : plan_.facilities) {
    const auto out = seen_sources(facility);
    std::vector<AddressRange> in;
    for (const auto& network : facility.networks) in.push_back(policy::range_of(network.seen));
    if (!facility.ike) {
      sources.insert(sources.end(), out.begin(), out.end());
      destinations.insert(destinations.end(), in.begin(), in.end());
      continue;
    }
    const auto reached = others.find(facility.name.text);
    if (reached == others.end()) continue;
    for (const auto& other : reached->second) {
      for (const AddressRange& own : out) from.push_back({own, policy::range_of(other)});
      for (const AddressRange& own : in) to.push_back({policy::range_of(other), own});
    }
  }
  at_source_ = {PacketSet::from(sources), PacketSet::of(std::move(from))};
  at_destination_ = {PacketSet::to(destinations), PacketSet::of(std::move(to))};
}

// Alone, without nftables, the guard cannot tell an answer from a packet that only looks like one (docs/promises.md,
// P1): then it is asked for what it is told to open.
PacketSet Reachability::through_guard(const PacketSet& packets, Missing missing) const {
  if (missing == Missing::kGuard) return packets;
  const PacketSet forward = packets & guard_forward_;
  return missing == Missing::kNftables ? forward : forward | (packets & guard_back_);
}

Result<void, std::string> Reachability::forward(const std::string& in, const policy::Routed& routed, const Mark& mark,
                                                bool answers, bool filtered, Exits& out) {
  if (routed.interface == policy::kHere) return {};  // not forwarded: to_gateway()
  PacketSet& there = out[routed.interface];
  if (!filtered) return there = there | routed.packets, Result<void, std::string>();
  // The host's own routes may lead anywhere; the outside is the worst.
  const bool anywhere = routed.interface == policy::kHostRoutes;
  const Road road{in, anywhere ? plan_.outside_interface : routed.interface, false, answers};
  Forwarded& known = forwarded_[road][mark];
  if (known.packets.empty() || known.packets != routed.packets) {
    known = {};
    known.passing = firewall::packets_of(TRY(passing_.hook("forward", road, {{routed.packets, mark}})));
    known.packets = routed.packets;
  }
  there = there | known.passing;
  return {};
}

// A mark that is what a map says may be of several kinds for the routing rules.
Result<std::vector<policy::Routed>, std::string> Reachability::routed(const std::string& in, const Marked& group,
                                                                      bool answers, Missing missing) {
  std::vector<policy::Routed> out;
  if (missing == Missing::kRoutes) {
    for (const std::string& interface :
         {std::string(policy::kTunnelInterface), plan_.inside_interface, plan_.outside_interface})
      out.push_back({interface, group.packets});
    return out;
  }
  if (group.mark.map.empty()) return routing_.of(in, group.mark.number, group.packets, answers);
  std::map<std::vector<bool>, std::pair<std::uint32_t, PacketSet>> kinds;
  for (const std::uint32_t number : TRY(passing_.numbers(group.mark))) {
    auto& kind = kinds[routing_.kind_of(number)];
    kind.first = number;
    kind.second = kind.second | TRY(passing_.with_mark({group}, number));
  }
  for (const auto& [same, kind] : kinds)
    for (policy::Routed& each : routing_.of(in, kind.first, kind.second, answers)) out.push_back(std::move(each));
  return out;
}

Result<Reachability::Exits, std::string> Reachability::kernel(const std::string& in, PacketSet packets, bool answers,
                                                              Missing missing) {
  const bool filtered = missing != Missing::kNftables;
  std::vector<Marked> before{{std::move(packets), Mark{}}};
  if (filtered) before = TRY(passing_.hook("prerouting", {in, "", false, answers}, std::move(before)));
  Exits out;
  for (const Marked& group : before)
    for (const policy::Routed& there : TRY(routed(in, group, answers, missing)))
      TRY(forward(in, there, group.mark, answers, filtered, out));
  return out;
}

Result<const Reachability::Exits*, std::string> Reachability::exits(const std::string& in, bool answers,
                                                                    Missing missing) {
  // Selectors and guard are not the kernel's.
  const Missing of_kernel = missing == Missing::kRoutes || missing == Missing::kNftables ? missing : Missing::kNothing;
  const auto key = std::tuple(in, answers, of_kernel);
  if (const auto known = exits_.find(key); known != exits_.end()) return &known->second;
  return &exits_.emplace(key, TRY(kernel(in, PacketSet::everything(), answers, of_kernel))).first->second;
}

// Whatever its destination, were that an address of the gateway. Without nftables the kernel itself takes what is for
// one of its addresses, of which the plan knows those outside.
Result<PacketSet, std::string> Reachability::to_gateway(bool filtered) {
  if (!filtered) return PacketSet::to(here_);
  const Road road{policy::kTunnelInterface, "", true, false};
  auto before = TRY(passing_.hook("prerouting", road, {{PacketSet::everything(), Mark{}}}));
  return firewall::packets_of(TRY(passing_.hook("input", road, std::move(before))));
}

Result<Reach, std::string> Reachability::openings(Missing missing) {
  const std::string tunnel = policy::kTunnelInterface;
  const auto into_tunnel = [&](const PacketSet& packets) {
    const PacketSet guarded = through_guard(packets, missing);
    return missing == Missing::kSelectors ? guarded : at_destination_.of(guarded);
  };
  const auto out_of_tunnel = [&](const PacketSet& packets) {
    const PacketSet carried = missing == Missing::kSelectors ? packets : at_source_.of(packets);
    if (missing == Missing::kGuard) return carried;
    return through_guard(carried & of_facilities_, missing);  // the guard asks whose tunnel it was
  };
  Reach reach;
  for (const auto& [interface, packets] : *TRY(exits(tunnel, false, missing)))
    if (interface == tunnel)
      reach.between = into_tunnel(out_of_tunnel(packets));
    else if (interface == plan_.inside_interface)
      reach.to_inside = out_of_tunnel(packets);
    else
      reach.to_elsewhere = reach.to_elsewhere | out_of_tunnel(packets);
  reach.to_gateway = out_of_tunnel(TRY(to_gateway(missing != Missing::kNftables)));
  for (const auto& [interface, packets] : *TRY(exits(plan_.inside_interface, false, missing)))
    if (interface == tunnel)
      reach.from_inside = into_tunnel(packets);
    else
      reach.inside_forward = reach.inside_forward | packets;
  for (const auto& [interface, packets] : *TRY(exits(plan_.outside_interface, false, missing)))
    reach.from_outside = reach.from_outside | (interface == tunnel ? into_tunnel(packets) : packets);
  if (missing == Missing::kNftables) return reach;  // the gateway's own packets: nobody else's are among them
  const Road own{"lo", tunnel, false, false};
  reach.from_gateway =
      into_tunnel(firewall::packets_of(TRY(passing_.hook("output", own, {{PacketSet::everything(), Mark{}}}))));
  return reach;
}

// An answer of a facility leaves by the tunnel of its flow's destination, and one to a facility enters that of the
// flow's source.
Result<Answers, std::string> Reachability::answers() {
  Answers found;
  const std::string tunnel = policy::kTunnelInterface;
  for (const auto& [interface, packets] : *TRY(exits(tunnel, true, Missing::kNothing))) {
    const PacketSet carried = at_destination_.of(packets & guard_forward_);
    if (interface == tunnel) found.between = at_source_.of(carried);
    if (interface == plan_.inside_interface) found.from_inside = carried;
  }
  for (const auto& [interface, packets] : *TRY(exits(plan_.inside_interface, true, Missing::kNothing)))
    if (interface == tunnel) found.to_inside = at_source_.of(packets & guard_forward_);
  return found;
}

std::vector<std::string> Reachability::accepting_rules(const std::string& in, const policy::PacketPoint& packet) {
  std::vector<std::string> places;
  PacketBox box{{packet.source, packet.source}, {packet.destination, packet.destination}};
  box.first_protocol = box.last_protocol = packet.protocol, box.first_port = box.last_port = packet.port;
  passing_.trace(&places);
  forwarded_.clear();  // what is known leaves no trace
  // It was understood before: the same rules gave the set that this packet is of.
  (void)kernel(in, PacketSet::of({box}), false, Missing::kNothing);
  passing_.trace(nullptr);
  return places;
}

}  // namespace gateway::core
