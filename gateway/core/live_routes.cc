#include "gateway/core/live_routes.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "policy/packet_set.h"
#include "policy/routed.h"

namespace gateway::core {
namespace {

using config::value::Family;
using config::value::Prefix;
using policy::AddressRange;
using policy::KernelRoute;
using policy::KernelRoutes;
using policy::KernelRule;
using policy::PacketPoint;
using policy::PacketSet;

constexpr std::size_t kMostTriedAlone = 16;
constexpr std::size_t kMostUnknown = 10;
constexpr const char* kAnother = "(another interface)";

bool is_ours(const KernelRoute& route) {
  return policy::is_route_table(route.table);
}

auto meaning(const KernelRoute& route) {
  return std::tie(route.table, route.destination, route.type, route.hops, route.mtu, route.plain);
}

auto meaning(const KernelRule& rule) {
  return std::tie(rule.family, rule.priority, rule.inverted, rule.from, rule.to, rule.incoming, rule.outgoing,
                  rule.mark, rule.mask, rule.action, rule.table, rule.target, rule.suppressed, rule.plain);
}

template <class T>
bool same(const T& a, const T& b) {
  return meaning(a) == meaning(b);
}

// Those that every kernel has.
std::vector<KernelRule> kernels_own() {
  std::vector<KernelRule> out;
  for (const Family family : {Family::kV4, Family::kV6})
    for (const auto& [priority, table] : {std::pair{0u, policy::kLocalTable}, std::pair{32766u, policy::kMainTable}}) {
      KernelRule rule;
      rule.family = family, rule.priority = priority, rule.table = table;
      out.push_back(rule);
    }
  return out;
}

KernelRoutes wanted_of(const policy::Plan& plan) {
  KernelRoutes out = policy::kernel_routes(plan);
  for (KernelRule& rule : kernels_own()) out.rules.push_back(std::move(rule));
  return out;
}

template <class T>
bool means_less(const T* a, const T* b) {
  return meaning(*a) < meaning(*b);
}

template <class T>
std::vector<const T*> missing_from(const std::vector<T>& wanted, const std::vector<T>& present) {
  std::vector<const T*> there, out;
  for (const T& each : present) there.push_back(&each);
  std::sort(there.begin(), there.end(), means_less<T>);
  for (const T& each : wanted)
    if (!std::binary_search(there.begin(), there.end(), &each, means_less<T>)) out.push_back(&each);
  return out;
}

// What one difference of writing is, and how it is undone.
struct Edit {
  std::string what;
  bool ours = true;
  const KernelRoute* route = nullptr;
  const KernelRule* rule = nullptr;
  bool added = false;
};

using Fate = std::map<std::string, PacketSet>;  // "from sekisho0, by dc0" -> the packets

class Judge {
 public:
  Judge(const policy::Plan& plan, const KernelRoutes& found) : plan_(plan), wanted_(wanted_of(plan)), found_(found) {
    for (KernelRule& rule : found_.rules) {  // "any" is written with the family of the rule
      if (rule.from.length() == 0) rule.from = Prefix();
      if (rule.to.length() == 0) rule.to = Prefix();
    }
    for (const auto& facility : plan.facilities) {
      for (const auto& network : facility.networks) {
        networks_.push_back(policy::range_of(network.seen));
        if (!facility.isolated) reached_.push_back(policy::range_of(network.seen));
      }
      add_outer(facility);
    }
    for (const auto& row : plan.permissions) {
      if (row.kind == policy::PermissionKind::kService) services_.push_back(policy::range_of(row.destination));
      if (row.kind == policy::PermissionKind::kInside) services_.push_back(policy::range_of(row.source));
    }
    std::sort(services_.begin(), services_.end());
    services_.erase(std::unique(services_.begin(), services_.end()), services_.end());
  }

  std::vector<LiveDifference> judge() {
    find_edits();
    const Fate wanted = wanted_fate(), found = fate_of(found_);
    if (wanted != found) blame(wanted, found);
    name_other_ways();
    name_unknown();
    return std::move(out_);
  }

 private:
  // Where the tunnels' own packets go. A gateway without an address of that family has no tunnels there.
  void add_outer(const policy::FacilityPlan& facility) {
    std::vector<Prefix> ends = facility.sources;
    if (ends.empty() && facility.wireguard.endpoint) ends.push_back(Prefix::host(facility.wireguard.endpoint->address));
    if (ends.empty() && facility.ike && facility.ike->endpoint) ends.push_back(Prefix::host(*facility.ike->endpoint));
    for (const Prefix& end : ends) {
      const Family family = end.address().family();
      const bool speaks =
          std::ranges::any_of(plan_.outside_addresses, [&](const auto& own) { return own.family() == family; });
      if (speaks && end.length() >= (family == Family::kV4 ? 8 : 16)) outer_.push_back(policy::range_of(end));
    }
  }

  void find_edits() {
    for (const KernelRoute* route : missing_from(wanted_.routes, found_.routes))
      edits_.push_back({"route missing: " + policy::to_text(*route), true, route, nullptr, false});
    for (const KernelRoute* route : missing_from(found_.routes, wanted_.routes))
      if (is_ours(*route)) edits_.push_back({"route added: " + policy::to_text(*route), true, route, nullptr, true});
    for (const KernelRule* rule : missing_from(wanted_.rules, found_.rules))
      edits_.push_back({"ip rule missing: " + policy::to_text(*rule), rule->priority != 0 && rule->priority != 32766,
                        nullptr, rule, false});
    for (const KernelRule* rule : missing_from(found_.rules, wanted_.rules))
      if (rule->priority != 32767 && rule->text.find("l3mdev") == std::string::npos)
        edits_.push_back({"ip rule added: " + policy::to_text(*rule), rule->priority < plan_.rules.back().priority,
                          nullptr, rule, true});
  }

  static void put(Fate& fate, const std::string& from, const std::vector<policy::Routed>& routed) {
    for (const policy::Routed& each : routed)
      if (each.interface != policy::kHere) fate[from + ", by " + each.interface] = each.packets;
  }

  // Where our tables alone send the gateway's own packets; what they leave over is the host's.
  static void put_own_tables(Fate& fate, const KernelRoutes& all) {
    KernelRoutes ours;
    std::ranges::copy_if(all.routes, std::back_inserter(ours.routes), [](const auto& each) { return is_ours(each); });
    std::ranges::copy_if(all.rules, std::back_inserter(ours.rules), [](const KernelRule& each) {
      return each.action == KernelRule::Action::kLookUp && policy::is_route_table(each.table);
    });
    put(fate, "of the gateway by our tables",
        policy::Routing(std::move(ours)).of("lo", 0, PacketSet::everything(), false));
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::uint32_t>> entries() const {
    std::vector<std::pair<std::string, std::uint32_t>> out{{policy::kTunnelInterface, 0},
                                                           {policy::kTunnelInterface, policy::kExchangeMark},
                                                           {plan_.inside_interface, 0},
                                                           {plan_.outside_interface, 0},
                                                           {kAnother, 0}};
    for (const KernelRule& rule : found_.rules)
      if (!rule.incoming.empty() && rule.incoming != "lo" &&
          std::ranges::none_of(out, [&](const auto& each) { return each.first == rule.incoming; }))
        out.emplace_back(rule.incoming, 0);
    return out;
  }

  // Of the host's own interfaces only what goes into the tunnels is ours.
  void put_entry(Fate& fate, const std::pair<std::string, std::uint32_t>& entry, policy::Routing& routing) const {
    auto routed = routing.of(entry.first, entry.second, PacketSet::everything(), false);
    const bool ours = entry.first == policy::kTunnelInterface || entry.first == plan_.inside_interface ||
                      entry.first == plan_.outside_interface;
    if (!ours)
      std::erase_if(routed, [](const policy::Routed& each) { return each.interface != policy::kTunnelInterface; });
    put(fate, words(entry), routed);
  }

  static std::string words(const std::pair<std::string, std::uint32_t>& entry) {
    return "from " + entry.first + (entry.second == 0 ? "" : " with the exchange mark");
  }

  [[nodiscard]] Fate wanted_fate() const {
    Fate fate;
    policy::Routing routing(plan_);
    for (const auto& entry : entries()) put_entry(fate, entry, routing);
    const auto own = [&](const char* what, const std::vector<AddressRange>& to, const std::string& interface) {
      if (const PacketSet set = PacketSet::to(to); !set.empty()) fate[what + (", by " + interface)] = set;
    };
    put_own_tables(fate, wanted_);
    own(kToFacilities, reached_, policy::kTunnelInterface);
    own(kToServices, services_, plan_.inside_interface);
    own(kOuter, outer_, plan_.outside_interface);
    return fate;
  }

  [[nodiscard]] Fate fate_of(const KernelRoutes& routes) const {
    Fate fate;
    policy::Routing routing(routes);
    for (const auto& entry : entries()) put_entry(fate, entry, routing);
    put_own_tables(fate, routes);
    put(fate, kToFacilities, routing.of("lo", 0, PacketSet::to(networks_), false));
    put(fate, kToServices, routing.of("lo", 0, PacketSet::to(services_), false));
    put(fate, kOuter, routing.of("lo", 0, PacketSet::to(outer_), false));
    return fate;
  }

  struct Witness {
    std::string way;
    PacketPoint packet;
  };
  // In `a` and not in `b`.
  static std::optional<Witness> first_of(const Fate& a, const Fate& b) {
    for (const auto& [way, packets] : a) {
      const auto other = b.find(way);
      const PacketSet more = other == b.end() ? packets : packets - other->second;
      if (const auto packet = more.witness()) return Witness{way, *packet};
    }
    return std::nullopt;
  }

  void add(const std::string& what, bool ours, const std::optional<Witness>& opened,
           const std::optional<Witness>& closed) {
    LiveDifference out{"routes", what, opened.has_value(), closed.has_value(), "", {}, ours};
    const auto to = [](const Witness& witness) {
      return witness.way + ": to " + witness.packet.destination.to_string();
    };
    if (opened) out.says = to(*opened) + " goes";
    if (closed) out.says += (opened ? "; " : "") + to(*closed) + " goes no longer";
    out.packet = opened ? opened->packet : closed ? std::optional(closed->packet) : std::nullopt;
    tell(std::move(out));
  }

  // Once, as it is told first.
  void tell(LiveDifference difference) {
    if (told_.insert(difference.what).second) out_.push_back(std::move(difference));
  }

  // Each edit of ours alone, in a kernel that is otherwise as it should be; and what is of others by what decides.
  void blame(const Fate& wanted, const Fate& found) {
    const KernelRoutes repaired = with_ours_repaired();
    const Fate rest = fate_of(repaired);
    bool named = false;
    if (edits_.size() <= kMostTriedAlone)
      for (const Edit& edit : edits_) {
        KernelRoutes with = repaired;
        put_in(edit, with);
        const Fate alone = fate_of(with);
        if (alone == rest) continue;
        add(edit.what, edit.ours, first_of(alone, rest), first_of(rest, alone));
        named = true;
      }
    if (rest != wanted) name_decisive(first_of(rest, wanted), first_of(wanted, rest)), named = true;
    if (named) return;
    for (const Edit& edit : edits_) add(edit.what, edit.ours, first_of(found, wanted), first_of(wanted, found));
  }

  [[nodiscard]] KernelRoutes with_ours_repaired() const {
    const auto routes = added(&Edit::route);
    const auto rules = added(&Edit::rule);
    KernelRoutes out = found_;
    std::erase_if(out.routes, [&](const KernelRoute& each) { return is_among(each, routes); });
    std::erase_if(out.rules, [&](const KernelRule& each) { return is_among(each, rules); });
    for (const Edit& edit : edits_) {
      if (edit.route != nullptr && !edit.added) out.routes.push_back(*edit.route);
      if (edit.rule != nullptr && !edit.added) insert(*edit.rule, out.rules);
    }
    return out;
  }

  // Of the edits those that add, in order.
  template <class T>
  [[nodiscard]] std::vector<const T*> added(const T* Edit::* what) const {
    std::vector<const T*> out;
    for (const Edit& edit : edits_)
      if (edit.added && edit.*what != nullptr) out.push_back(edit.*what);
    std::sort(out.begin(), out.end(), means_less<T>);
    return out;
  }

  template <class T>
  static bool is_among(const T& one, const std::vector<const T*>& all) {
    return std::binary_search(all.begin(), all.end(), &one, means_less<T>);
  }

  static void insert(const KernelRule& rule, std::vector<KernelRule>& rules) {
    const auto at = std::ranges::find_if(
        rules, [&](const KernelRule& each) { return each.family == rule.family && each.priority > rule.priority; });
    rules.insert(at, rule);
  }

  static void put_in(const Edit& edit, KernelRoutes& to) {
    if (edit.route != nullptr && edit.added) to.routes.push_back(*edit.route);
    if (edit.rule != nullptr && edit.added) insert(*edit.rule, to.rules);
    if (edit.route != nullptr && !edit.added)
      std::erase_if(to.routes, [&](const auto& each) { return same(each, *edit.route); });
    if (edit.rule != nullptr && !edit.added)
      std::erase_if(to.rules, [&](const auto& each) { return same(each, *edit.rule); });
  }

  // The route that a packet on this way takes now.
  void name_decisive(const std::optional<Witness>& opened, const std::optional<Witness>& closed) {
    for (const auto& witness : {opened, closed}) {
      if (!witness) continue;
      const auto [in, mark] = entry_of(witness->way);
      const KernelRoute* route = decisive(in, mark, witness->packet);
      const bool gone = route == nullptr;
      const std::string what =
          gone ? "no route for " + witness->packet.destination.to_string() + " (" + witness->way + ")"
               : "route of others: " + policy::to_text(*route);
      const bool is_opened = opened && witness->way == opened->way && witness->packet == opened->packet;
      add(what, false, is_opened ? opened : std::nullopt, is_opened ? std::nullopt : closed);
    }
  }

  [[nodiscard]] std::pair<std::string, std::uint32_t> entry_of(const std::string& way) const {
    for (const auto& entry : entries())
      if (way.starts_with(words(entry) + ",")) return entry;
    return {"lo", 0};
  }

  [[nodiscard]] const KernelRoute* decisive(const std::string& in, std::uint32_t mark,
                                            const PacketPoint& packet) const {
    std::uint32_t next = 0;  // the priority where a goto sent it
    for (const KernelRule& rule : found_.rules) {
      if (rule.family != packet.destination.family() || rule.priority < next) continue;
      if (policy::is_passed_over(rule, found_.rules)) continue;
      const bool about = (rule.incoming.empty() || rule.incoming == in) && ((mark ^ rule.mark) & rule.mask) == 0 &&
                         (rule.from.length() == 0 || rule.from.contains(packet.source)) &&
                         (rule.to.length() == 0 || rule.to.contains(packet.destination)) && rule.outgoing.empty();
      if (about == rule.inverted) continue;
      if (rule.action == KernelRule::Action::kGoto) next = rule.target;
      if (rule.action == KernelRule::Action::kGoto) continue;
      if (rule.action == KernelRule::Action::kNowhere) return nullptr;
      if (const KernelRoute* route = longest(rule, packet.destination)) return route;
    }
    return nullptr;
  }

  [[nodiscard]] const KernelRoute* longest(const KernelRule& rule, const policy::IpAddress& to) const {
    const KernelRoute* best = nullptr;
    for (const KernelRoute& route : found_.routes) {
      if (route.table != rule.table || !route.destination.contains(to)) continue;
      if (int{route.destination.length()} <= rule.suppressed) continue;
      const auto order = [](const KernelRoute& of) { return std::pair(-int{of.destination.length()}, of.metric); };
      if (best == nullptr || order(route) < order(*best)) best = &route;
    }
    return best != nullptr && best->type == KernelRoute::Type::kThrow ? nullptr : best;
  }

  // The same interface, and another next hop or MTU: no set of packets shows it. And rules that are not understood.
  void name_other_ways() {
    using Place = std::pair<std::uint32_t, Prefix>;  // table and destination
    const auto place = [](const Edit& edit) { return Place(edit.route->table, edit.route->destination); };
    std::map<Place, const Edit*> added;
    for (const Edit& edit : edits_)
      if (edit.added && edit.route != nullptr) added.emplace(place(edit), &edit);
    for (const Edit& edit : edits_) {
      if (edit.added && edit.rule != nullptr && !edit.rule->plain && edit.ours)
        out_.push_back({"routes", edit.what, false, false, "it may take packets of ours: not understood", {}, true});
      if (edit.route == nullptr || edit.added) continue;
      const auto other = added.find(place(edit));
      if (other == added.end()) continue;
      for (const Edit* each : {&edit, other->second})
        tell({"routes", each->what, false, false, "another next hop or another MTU", {}, true});
    }
  }

  // Where they lead is not read; of others those alone that may take a packet of ours.
  void name_unknown() {
    std::size_t more = 0;
    for (const KernelRoute& route : found_.routes) {
      if (route.type != KernelRoute::Type::kOther) continue;
      const AddressRange range = policy::range_of(route.destination);
      const auto meets = [&](const AddressRange& each) { return each.first <= range.last && range.first <= each.last; };
      if (!is_ours(route) && std::ranges::none_of(networks_, meets) && std::ranges::none_of(services_, meets) &&
          std::ranges::none_of(outer_, meets))
        continue;
      const std::string what = "route of others: " + policy::to_text(route);
      if (++more <= kMostUnknown)
        out_.push_back({"routes", what, false, false, "where it leads is not read: it may be anywhere", {}, false});
    }
    if (more > kMostUnknown)
      out_.push_back({"routes",
                      std::to_string(more - kMostUnknown) + " more routes whose next hop is not read",
                      false,
                      false,
                      "they may lead anywhere",
                      {},
                      false});
  }

  static constexpr const char* kToFacilities = "of the gateway to facilities";
  static constexpr const char* kToServices = "of the gateway to services";
  static constexpr const char* kOuter = "of the tunnels themselves";

  const policy::Plan& plan_;
  KernelRoutes wanted_, found_;
  std::vector<AddressRange> networks_, reached_, services_, outer_;  // reached_: of facilities that are not isolated
  std::vector<Edit> edits_;
  std::vector<LiveDifference> out_;
  std::set<std::string> told_;  // what each is about
};

}  // namespace

std::vector<LiveDifference> route_differences(const policy::Plan& plan, const policy::KernelRoutes& found) {
  if (plan.rules.empty()) return {};
  return Judge(plan, found).judge();
}

}  // namespace gateway::core
