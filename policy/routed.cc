#include "policy/routed.h"

namespace policy {

// Longer prefixes first: each takes what is left of it.
const Routing::Table& Routing::table(RouteTable number) {
  const auto [at, fresh] = tables_.try_emplace(number);
  if (!fresh) return at->second;
  std::map<int, std::map<std::string, std::vector<AddressRange>>> by_length;  // negative: the longest first
  for (const Route& route : plan_.routes)
    if (route.table == number)
      by_length[-int{route.destination.length()}][route.interface].push_back(range_of(route.destination));
  std::map<std::string, PacketSet> found;
  PacketSet taken;
  for (const auto& [length, interfaces] : by_length) {
    const PacketSet before = taken;
    for (const auto& [interface, ranges] : interfaces) {
      const PacketSet here = PacketSet::to(ranges);
      found[interface] = found[interface] | (here - before);
      taken = taken | here;
    }
  }
  for (const auto& [interface, packets] : found) at->second.emplace_back(interface, packets.destinations());
  return at->second;
}

std::vector<Routed> Routing::of(const std::string& incoming, std::uint32_t mark, PacketSet packets, bool answers) {
  std::map<std::string, PacketSet> found;
  for (const RoutingRule& rule : plan_.rules) {
    if (packets.empty()) break;
    if (!rule.incoming_interface.empty() && rule.incoming_interface != incoming) continue;
    if (rule.mark != 0 && rule.mark != mark) continue;
    if (rule.prohibit) {
      packets = PacketSet();
      break;
    }
    PacketSet routed;
    for (const auto& [interface, ranges] : table(rule.table)) {
      const PacketSet there = packets & (answers ? PacketSet::from(ranges) : PacketSet::to(ranges));
      routed = routed | there;
      if (!interface.empty()) found[interface] = found[interface] | there;
    }
    packets = packets - routed;
  }
  std::vector<Routed> out;
  for (auto& [interface, there] : found)
    if (!there.empty()) out.push_back({interface, there});
  if (!packets.empty()) out.push_back({kHostRoutes, packets});
  return out;
}

}  // namespace policy
