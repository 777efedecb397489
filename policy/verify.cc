#include "policy/verify.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "policy/prefix_hash.h"

namespace policy {
namespace {

struct Owned {
  Prefix network;
  const FacilityPlan* facility;
};

// Looks at the finished plan only; shares no code with compile.
class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan) {
    for (const FacilityPlan& facility : plan.facilities)
      for (const NetworkMap& network : facility.networks) networks_.push_back({network.seen, &facility});
    std::sort(networks_.begin(), networks_.end(), [](const Owned& a, const Owned& b) { return a.network < b.network; });
    any_isolated_ = std::ranges::any_of(plan.facilities, &FacilityPlan::isolated);
    for (const Permission& row : plan.permissions)
      if (row.kind == PermissionKind::kExchange) in_exchanges_.insert({row.source, row.destination});
  }

  std::vector<Finding> run() {
    check_networks();
    std::unordered_set<std::uint32_t> numbers;
    numbers.reserve(plan_.permissions.size());
    for (const Permission& row : plan_.permissions) {
      check_row(row);
      if (!numbers.insert(row.rule.number).second || row.rule.number == 0 || row.rule.number > 0x7fffffff)
        report("P1", text(row) + " has no number of its own");
    }
    check_routes();
    check_rules();
    std::sort(findings_.begin(), findings_.end());
    return std::move(findings_);
  }

 private:
  void report(const char* promise, std::string what) { findings_.push_back({promise, std::move(what)}); }

  static std::string text(const Permission& row) {
    return row.source.to_string() + " -> " + row.destination.to_string() + " " + row.port.to_string() + " (" +
           row.origin + ")";
  }

  // Sorted by address, a network that overlaps another overlaps its neighbour, as prefixes only ever nest.
  void check_networks() {
    for (std::size_t i = 1; i < networks_.size(); ++i)
      if (networks_[i - 1].network.overlaps(networks_[i].network))
        report("P2", networks_[i - 1].network.to_string() + " of " + networks_[i - 1].facility->name.text +
                         " overlaps " + networks_[i].network.to_string() + " of " + networks_[i].facility->name.text);
  }

  // What is known of a prefix; rows name few of them, each many times.
  struct Place {
    const FacilityPlan* owner = nullptr;  // one of whose networks holds the whole prefix
    bool touches = false;                 // it has something in common with a network
  };
  const Place& place(const Prefix& prefix) const {
    const auto [known, fresh] = places_.try_emplace(prefix);
    if (!fresh) return known->second;
    known->second.owner = found_owner(prefix);
    known->second.touches = known->second.owner != nullptr || holds_a_network(prefix);
    return known->second;
  }
  const FacilityPlan* owner(const Prefix& prefix) const { return place(prefix).owner; }
  bool touches_facility(const Prefix& prefix) const { return place(prefix).touches; }

  const FacilityPlan* found_owner(const Prefix& prefix) const {
    auto at = std::upper_bound(networks_.begin(), networks_.end(), prefix,
                               [](const Prefix& wanted, const Owned& owned) { return wanted < owned.network; });
    return at != networks_.begin() && (--at)->network.contains(prefix) ? at->facility : nullptr;
  }

  bool holds_a_network(const Prefix& prefix) const {
    const auto at = std::lower_bound(networks_.begin(), networks_.end(), prefix,
                                     [](const Owned& owned, const Prefix& wanted) { return owned.network < wanted; });
    return at != networks_.end() && prefix.contains(at->network);
  }

  void check_end(const Permission& row, const Prefix& end, const FacilityName& named, const char* promise) {
    if (named.text.empty()) {
      if (touches_facility(end))
        report("P1", text(row) + ": " + end.to_string() + " should be inside, and is a facility's");
      return;
    }
    const FacilityPlan* found = owner(end);
    if (found == nullptr || found->name != named)
      report(promise, text(row) + ": " + end.to_string() + " is not in a network of " + named.text);
  }

  void check_row(const Permission& row) {
    if (row.source.address().family() != row.destination.address().family())
      report("P1", text(row) + " joins two address families");
    check_end(row, row.source, row.from_facility, "P2");
    check_end(row, row.destination, row.to_facility, "P3");
    const bool from = !row.from_facility.text.empty();
    const bool to = !row.to_facility.text.empty();
    const bool fits = (row.kind == PermissionKind::kService && from && !to) ||
                      (row.kind == PermissionKind::kInside && !from && to) ||
                      (row.kind == PermissionKind::kExchange && from && to && row.from_facility != row.to_facility);
    if (!fits) report("P1", text(row) + " has sides that its kind does not allow");
    if (row.kind == PermissionKind::kExchange && !row.until) report("P1", text(row) + " is an exchange without an end");
    check_connected(row);
    if (!row.destination.is_host()) report("P1", text(row) + " opens more than one host");
    for (const IpAddress& outside : plan_.outside_addresses)
      if (row.destination.contains(outside)) report("P1", text(row) + " leads to the gateway's own outside address");
  }

  // By the addresses, not only by the names: a row that is called another's would let it pass all the same.
  void check_connected(const Permission& row) {
    if (!any_isolated_) return;
    for (const Prefix& end : {row.source, row.destination})
      if (const FacilityPlan* found = owner(end); found != nullptr && found->isolated)
        report("P1", text(row) + " opens something for " + found->name.text + ", which is isolated");
  }

  void check_route(const Route& route) {
    const std::string name = "route " + route.destination.to_string() + " of table " +
                             std::to_string(static_cast<std::uint32_t>(route.table));
    const bool facility = touches_facility(route.destination);
    const bool unreachable = route.interface.empty();
    if (unreachable) return;
    switch (route.table) {
      case RouteTable::kFromTunnels:
      case RouteTable::kOwnToServices:
        if (facility) report("P1", name + " leads to a facility without its tunnel");
        if (route.interface != plan_.inside_interface) report("P1", name + " does not lead inside");
        if (!route.destination.is_host()) report("P1", name + " is wider than a service");
        return;
      case RouteTable::kToFacilities:
        if (const FacilityPlan* found = owner(route.destination); found == nullptr)
          report("P3", name + " is no facility's network");
        else if (found->isolated)
          report("P1", name + " leads to " + found->name.text + ", which is isolated");
        if (route.interface != kTunnelInterface) report("P3", name + " would leave in clear");
        return;
      case RouteTable::kExchange:
        if (!in_exchanges_.contains(route.destination)) report("P1", name + " takes part in no exchange");
        if (route.interface != kTunnelInterface) report("P3", name + " would leave in clear");
        return;
    }
  }

  void check_routes() {
    for (const Route& route : plan_.routes) check_route(route);
    for (const RouteTable table : {RouteTable::kFromTunnels, RouteTable::kExchange})
      for (const bool v4 : {true, false}) check_closed(table, v4);
    for (const Owned& owned : networks_) {
      if (owned.facility->isolated) {
        check_unreachable(owned);
        continue;
      }
      const Route least{RouteTable::kToFacilities, owned.network, kTunnelInterface, std::nullopt};  // of any MTU
      const auto found = std::lower_bound(plan_.routes.begin(), plan_.routes.end(), least);
      if (found == plan_.routes.end() || found->table != least.table || found->destination != least.destination ||
          found->interface != least.interface || found->via)
        report("P3", owned.network.to_string() + " of " + owned.facility->name.text + " has no route into the tunnel");
    }
  }

  // Without it, what the gateway itself sends there would go by the host's own routes: outside, in clear.
  void check_unreachable(const Owned& owned) {
    const Route wanted{RouteTable::kToFacilities, owned.network, "", std::nullopt};
    if (!std::binary_search(plan_.routes.begin(), plan_.routes.end(), wanted))
      report("P3", owned.network.to_string() + " of " + owned.facility->name.text +
                       ", which is isolated, is not unreachable");
  }

  void check_closed(RouteTable table, bool v4) {
    const bool closed = std::any_of(plan_.routes.begin(), plan_.routes.end(), [&](const Route& route) {
      return route.table == table && route.destination.length() == 0 && route.destination.address().is_v4() == v4 &&
             route.interface.empty();
    });
    if (!closed)
      report("P4", "table " + std::to_string(static_cast<std::uint32_t>(table)) +
                       " does not end in unreachable for IPv" + (v4 ? "4" : "6"));
  }

  // Every look-up by incoming interface is followed by a prohibit for the same packets. The gateway's own ("lo") go on.
  void check_rules() {
    for (const RoutingRule& rule : plan_.rules) {
      if (rule.prohibit || rule.incoming_interface == "lo") continue;
      const bool closed = std::any_of(plan_.rules.begin(), plan_.rules.end(), [&](const RoutingRule& other) {
        return other.prohibit && other.priority > rule.priority && other.mark == rule.mark &&
               other.incoming_interface == rule.incoming_interface;
      });
      if (!closed)
        report("P4", "routing rule " + std::to_string(rule.priority) + " falls through when its table is empty");
    }
    for (const std::string& interface :
         {std::string(kTunnelInterface), plan_.inside_interface, plan_.outside_interface})
      if (!std::any_of(plan_.rules.begin(), plan_.rules.end(), [&](const RoutingRule& rule) {
            return rule.prohibit && rule.mark == 0 && rule.incoming_interface == interface;
          }))
        report("P4", "packets from " + interface + " are not kept from the main routing table");
  }

  const Plan& plan_;
  std::vector<Owned> networks_;
  mutable std::unordered_map<Prefix, Place, policy::PrefixHash> places_;
  bool any_isolated_ = false;
  std::set<Prefix> in_exchanges_;  // ends of them
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> verify(const Plan& plan) {
  return Verifier(plan).run();
}

}  // namespace policy
