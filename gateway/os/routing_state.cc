// What must stand in the routing tables, as values. Pure.
#include <algorithm>
#include <array>

#include "gateway/os/routing.h"

namespace gateway::os {
namespace {

using config::value::IpAddress;
using config::value::Prefix;
using policy::Route;
using policy::RouteTable;

// The others end without one: the gateway's own packets look there first and then go on to the main table.
constexpr std::array kTables{RouteTable::kFromTunnels, RouteTable::kExchange};

void add_unreachable_defaults(std::vector<Route>& routes) {
  for (const auto table : kTables)
    for (const auto& everything : {Prefix::masked(IpAddress::v4({}), 0), Prefix::masked(IpAddress::v6({}), 0)}) {
      const bool there = std::ranges::any_of(
          routes, [&](const Route& route) { return route.table == table && route.destination == everything; });
      if (!there) routes.push_back({table, everything, {}, {}});
    }
}

void sort_unique(auto& values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

RoutingState wanted_routing(const policy::Plan& plan) {
  auto rules = plan.rules;
  for (auto& rule : rules)
    if (rule.prohibit) rule.table = RouteTable{};  // the kernel keeps no table with a prohibiting rule
  RoutingState state{plan.routes, rules, rules};
  add_unreachable_defaults(state.routes);
  sort_unique(state.routes);
  sort_unique(state.rules_v4);
  sort_unique(state.rules_v6);
  return state;
}

RoutingState closed_routing(const policy::Plan& plan) {
  auto closed = plan;
  closed.routes.clear();
  return wanted_routing(closed);
}

}  // namespace gateway::os
