#include "policy/isolation.h"

#include <algorithm>
#include <set>

namespace policy {
namespace {

// Empty: it has none, which is nobody else's either.
std::string identity_of(const FacilityPlan& facility) {
  if (facility.ike) return "ikev2 " + facility.ike->remote_id;
  return facility.wireguard.public_key.empty() ? "" : "wireguard " + facility.wireguard.public_key;
}

template <class T>
bool add(std::vector<T>& sorted, const T& value) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), value);
  if (at != sorted.end() && *at == value) return false;
  sorted.insert(at, value);
  return true;
}

// A route that leads somewhere and only there for the sake of an exchange that is no more.
bool is_left_over(const Route& route, const std::set<Prefix>& in_exchange) {
  return route.table == RouteTable::kExchange && !route.interface.empty() && !in_exchange.contains(route.destination);
}

void close_routes(Plan& plan) {
  std::set<Prefix> closed, in_exchange;
  for (const FacilityPlan& facility : plan.facilities)
    for (const NetworkMap& network : facility.networks)
      if (facility.isolated) closed.insert(network.seen);
  for (const Permission& row : plan.permissions)
    if (row.kind == PermissionKind::kExchange) in_exchange.insert({row.source, row.destination});
  std::erase_if(plan.routes, [&](const Route& route) { return is_left_over(route, in_exchange); });
  if (all_isolated(plan))
    std::erase_if(plan.routes, [](const Route& route) {
      return route.table == RouteTable::kFromTunnels && !route.interface.empty();
    });
  for (Route& route : plan.routes)
    if (route.table == RouteTable::kToFacilities && closed.contains(route.destination))
      route = {route.table, route.destination, "", std::nullopt, 0};
  std::sort(plan.routes.begin(), plan.routes.end());
}

// What the marks of the facilities say becomes true of the rows and routes.
Plan closed(Plan plan) {
  if (!any_isolated(plan)) return plan;
  std::set<FacilityName> names;
  for (const FacilityPlan& facility : plan.facilities)
    if (facility.isolated) names.insert(facility.name);
  std::erase_if(plan.permissions, [&](const Permission& row) {
    return names.contains(row.from_facility) || names.contains(row.to_facility);
  });
  close_routes(plan);
  return plan;
}

}  // namespace

bool holds(const IsolationOrder& order, const FacilityPlan& facility) {
  if (order.of_all() || order.facility == facility.name) return true;
  const std::string identity = identity_of(facility);
  if (!identity.empty() && std::binary_search(order.identities.begin(), order.identities.end(), identity)) return true;
  return std::ranges::any_of(facility.networks, [&](const NetworkMap& network) {
    return std::ranges::any_of(order.networks, [&](const Prefix& known) { return known.overlaps(network.seen); });
  });
}

std::vector<const IsolationOrder*> holding(const Isolation& isolation, const FacilityPlan& facility) {
  std::vector<const IsolationOrder*> found;
  for (const IsolationOrder& order : isolation.orders)
    if (holds(order, facility)) found.push_back(&order);
  return found;
}

Plan isolate(Plan whole, const Isolation& isolation) {
  if (isolation.orders.empty()) return whole;
  for (FacilityPlan& facility : whole.facilities)
    if (!holding(isolation, facility).empty()) facility.isolated = true;
  return closed(std::move(whole));
}

Plan isolate_as(Plan plan, const Plan& other) {
  std::set<FacilityName> names;
  for (const FacilityPlan& facility : other.facilities)
    if (facility.isolated) names.insert(facility.name);
  for (FacilityPlan& facility : plan.facilities)
    if (names.contains(facility.name)) facility.isolated = true;
  return closed(std::move(plan));
}

bool any_isolated(const Plan& plan) {
  return std::ranges::any_of(plan.facilities, &FacilityPlan::isolated);
}

bool all_isolated(const Plan& plan) {
  return !plan.facilities.empty() && std::ranges::all_of(plan.facilities, &FacilityPlan::isolated);
}

// Without their rows too, whoever left them in.
Plan without_isolated(const Plan& plan) {
  Plan fewer = closed(plan);
  std::erase_if(fewer.facilities, [](const FacilityPlan& facility) { return facility.isolated; });
  return fewer;
}

std::vector<std::string> isolation_notes(const Isolation& isolation, const Plan& whole) {
  std::vector<std::string> notes;
  for (const IsolationOrder& order : isolation.orders) {
    if (order.of_all()) continue;
    bool any = false;
    for (const FacilityPlan& facility : whole.facilities) {
      if (!holds(order, facility)) continue;
      any = true;
      if (facility.name != order.facility)
        notes.push_back("facility " + facility.name.text + " is isolated: it has a tunnel identity or a network of " +
                        order.facility.text + ", which was isolated by " + order.actor);
    }
    if (!any)
      notes.push_back("facility " + order.facility.text + ", which was isolated by " + order.actor +
                      ", is not in the configuration; the order stays and holds it when it comes back");
  }
  return notes;
}

bool learn(Isolation& isolation, const Plan& whole) {
  bool changed = false;
  for (IsolationOrder& order : isolation.orders) {
    if (order.of_all()) continue;
    // Judged by what the order knew before: the order of the facilities must make no difference.
    const IsolationOrder before = order;
    for (const FacilityPlan& facility : whole.facilities) {
      if (!holds(before, facility)) continue;
      if (const std::string identity = identity_of(facility); !identity.empty())
        changed |= add(order.identities, identity);
      for (const NetworkMap& network : facility.networks) changed |= add(order.networks, network.seen);
    }
  }
  return changed;
}

}  // namespace policy
