#include "policy/routed.h"

#include <algorithm>

namespace policy {
namespace {

using Action = KernelRule::Action;
using Type = KernelRoute::Type;

bool takes_mark(const KernelRule& rule, std::uint32_t mark) {
  return ((mark ^ rule.mark) & rule.mask) == 0;
}

// A packet that is forwarded was sent by no local socket.
bool may_take(const KernelRule& rule, const std::string& incoming, std::uint32_t mark) {
  if (rule.inverted) return true;
  return (rule.incoming.empty() || rule.incoming == incoming) && rule.outgoing.empty() && takes_mark(rule, mark);
}

// Of `packets` those that the rule is about.
PacketSet taken(const KernelRule& rule, const std::string& incoming, std::uint32_t mark, const PacketSet& packets,
                bool answers) {
  PacketSet about = packets;
  if (rule.from.length() != 0)
    about = about & (answers ? PacketSet::to({range_of(rule.from)}) : PacketSet::from({range_of(rule.from)}));
  if (rule.to.length() != 0)
    about = about & (answers ? PacketSet::from({range_of(rule.to)}) : PacketSet::to({range_of(rule.to)}));
  if (!rule.inverted) return about;
  KernelRule as_written = rule;
  as_written.inverted = false;
  return may_take(as_written, incoming, mark) ? packets - about : packets;
}

std::vector<std::string> interfaces_of(const KernelRoute& route) {
  if (route.type == Type::kLocal) return {kHere};
  std::vector<std::string> out;
  if (route.type == Type::kUnicast || route.type == Type::kOther)
    for (const KernelHop& hop : route.hops) out.push_back(hop.interface);
  if (out.empty()) out.emplace_back();
  return out;
}

bool is_thrown(const KernelRoute& route, std::int32_t suppressed) {
  return route.type == Type::kThrow || int{route.destination.length()} <= suppressed;
}

}  // namespace

bool is_passed_over(const KernelRule& rule, const std::vector<KernelRule>& all) {
  if (rule.action != Action::kGoto) return rule.action == Action::kNothing || rule.action == Action::kOther;
  return std::ranges::none_of(all, [&](const KernelRule& each) {
    return each.family == rule.family && each.priority == rule.target && each.priority > rule.priority;
  });
}

// Longer prefixes first, of one prefix the lower metric: each takes what is left of it.
const Routing::Table& Routing::table(std::uint32_t number, Family family, std::int32_t suppressed) {
  const auto [at, fresh] = tables_.try_emplace(std::tuple(number, family, suppressed));
  if (!fresh) return at->second;
  using Order = std::pair<int, std::uint32_t>;  // minus the length: the longest first
  std::map<Order, std::vector<const KernelRoute*>> by_order;
  for (const KernelRoute& route : routes_.routes)
    if (route.table == number && route.destination.address().family() == family)
      by_order[{-int{route.destination.length()}, route.metric}].push_back(&route);
  Found found;
  PacketSet gone;
  for (const auto& [order, routes] : by_order) {
    std::map<std::string, std::vector<AddressRange>> ranges;
    std::vector<AddressRange> kept;  // from what comes behind
    for (const KernelRoute* route : routes) {
      const AddressRange range = range_of(route->destination);
      if (!is_thrown(*route, suppressed))
        for (const std::string& interface : interfaces_of(*route)) ranges[interface].push_back(range);
      if (route->plain) kept.push_back(range);
    }
    for (const auto& [interface, there] : ranges) found[interface] = found[interface] | (PacketSet::to(there) - gone);
    gone = gone | PacketSet::to(kept);
  }
  for (const auto& [interface, packets] : found) at->second.push_back({interface, packets.destinations()});
  return at->second;
}

// What is left.
PacketSet Routing::looked_up(const KernelRule& rule, const PacketSet& packets, bool answers, Found& found) {
  PacketSet routed;
  for (const auto& [interface, ranges] : table(rule.table, rule.family, rule.suppressed)) {
    const PacketSet there = packets & (answers ? PacketSet::from(ranges) : PacketSet::to(ranges));
    routed = routed | there;
    if (!interface.empty()) found[interface] = found[interface] | there;
  }
  return packets - routed;
}

PacketSet Routing::of_family(const std::string& incoming, std::uint32_t mark, PacketSet packets, bool answers,
                             Family family, Found& found) {
  std::map<std::uint32_t, PacketSet> later;  // by the priority where a goto sent them
  for (const KernelRule& rule : routes_.rules) {
    if (rule.family != family) continue;
    for (auto at = later.begin(); at != later.end() && at->first <= rule.priority; at = later.erase(at))
      packets = packets | at->second;
    if (packets.empty() || !may_take(rule, incoming, mark)) continue;
    const PacketSet about = taken(rule, incoming, mark, packets, answers);
    if (about.empty() || is_passed_over(rule, routes_.rules)) continue;
    PacketSet left;
    if (rule.action == Action::kLookUp) left = looked_up(rule, about, answers, found);
    if (rule.action == Action::kGoto) later[rule.target] = later[rule.target] | about;
    if (rule.plain) packets = (packets - about) | left;
  }
  return packets;
}

std::vector<Routed> Routing::of(const std::string& incoming, std::uint32_t mark, PacketSet packets, bool answers) {
  Found found;
  PacketSet left;
  for (const Family family : {Family::kV4, Family::kV6})
    left = left | of_family(incoming, mark, packets & PacketSet::all(family), answers, family, found);
  std::vector<Routed> out;
  for (auto& [interface, there] : found)
    if (!there.empty()) out.push_back({interface, there});
  if (!whole_ && !left.empty()) out.push_back({kHostRoutes, left});
  return out;
}

std::vector<bool> Routing::kind_of(std::uint32_t mark) const {
  std::vector<bool> out;
  for (const KernelRule& rule : routes_.rules)
    if (rule.mask != 0) out.push_back(takes_mark(rule, mark));
  return out;
}

}  // namespace policy
