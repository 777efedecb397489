// An isolated facility has no row, no route and no tunnel in the plan, and nothing of the others is another octet.
#include "policy/isolation.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "policy/compile.h"
#include "policy/decide.h"
#include "policy/verify.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using policy::Isolation;
using policy::IsolationOrder;
using policy::Plan;
using policy::RouteTable;

namespace {

Plan whole() {
  return policy::compile(sample_config(), at_second(0)).plan;
}

Isolation order_for(const std::string& facility, const Plan& plan = whole()) {
  Isolation isolation{1, {{1, {facility}, at_second(0), "uid 0", "virus", {}, {}}}};
  (void)policy::learn(isolation, plan);
  return isolation;
}

const policy::FacilityPlan& named(const Plan& plan, const std::string& name) {
  return *std::ranges::find(plan.facilities, policy::FacilityName{name}, &policy::FacilityPlan::name);
}

bool touches(const policy::Permission& row, const std::string& facility) {
  return row.from_facility.text == facility || row.to_facility.text == facility;
}

std::vector<policy::Permission> rows_without(const Plan& plan, const std::string& facility) {
  auto rows = plan.permissions;
  std::erase_if(rows, [&](const auto& row) { return touches(row, facility); });
  return rows;
}

// Routes that are no business of the facility: neither to its networks nor for an exchange it takes part in.
std::vector<policy::Route> routes_without(const Plan& plan, const Plan& whole_plan, const std::string& facility) {
  auto routes = plan.routes;
  std::erase_if(routes, [&](const policy::Route& route) {
    if (route.interface.empty() && route.destination.length() == 0) return false;
    const auto& networks = named(whole_plan, facility).networks;
    if (std::ranges::any_of(networks, [&](const auto& n) { return n.seen.overlaps(route.destination); })) return true;
    return route.table == RouteTable::kExchange && std::ranges::any_of(whole_plan.permissions, [&](const auto& row) {
             return touches(row, facility) && (row.source == route.destination || row.destination == route.destination);
           });
  });
  return routes;
}

}  // namespace

TEST_CASE("isolation: without an order the plan is the same value") {
  CHECK(policy::isolate(whole(), {}) == whole());
}

TEST_CASE("isolation: each facility in turn has nothing left, and the others have everything") {
  const auto before = whole();
  for (const auto& facility : before.facilities) {
    const auto name = facility.name.text;
    const auto after = policy::isolate(before, order_for(name));
    INFO(name);
    CHECK(policy::verify(after).empty());
    CHECK(std::ranges::none_of(after.permissions, [&](const auto& row) { return touches(row, name); }));
    CHECK(after.permissions == rows_without(before, name));
    for (const auto& route : after.routes)
      for (const auto& network : facility.networks)
        if (route.destination.overlaps(network.seen) && route.destination.length() > 0) CHECK(route.interface.empty());
    CHECK(routes_without(after, before, name) == routes_without(before, before, name));
    CHECK(named(after, name).isolated);
    for (const auto& other : before.facilities)
      if (other.name != facility.name) CHECK(named(after, other.name.text) == other);
    auto rest = after;
    rest.facilities = before.facilities, rest.permissions = before.permissions, rest.routes = before.routes;
    CHECK(rest == before);
  }
}

TEST_CASE("isolation: an exchange ends on both sides, and what the other has of its own stays") {
  const auto after = policy::isolate(whole(), order_for("hakodate"));
  const auto ask = [&](const char* from, const char* to, std::uint16_t to_port) {
    return policy::decide(after, {address(from), address(to), config::value::IpProtocol::kTcp, 40000, to_port},
                          at_second(0))
        .allowed();
  };
  CHECK_FALSE(ask("10.2.0.7", "100.64.1.5", 443));    // matsumae's exchange
  CHECK_FALSE(ask("100.64.1.7", "10.80.0.10", 443));  // its own service
  CHECK_FALSE(ask("10.80.0.10", "100.64.1.5", 443));  // from inside
  CHECK(ask("10.2.0.7", "10.80.0.10", 443));
  CHECK(ask("10.3.0.7", "10.80.0.10", 443));
  CHECK(std::ranges::none_of(after.routes, [](const auto& route) {
    return route.table == RouteTable::kExchange && !route.interface.empty();
  }));
}

TEST_CASE("isolation: the emergency stop leaves no row and no road, also of a facility that comes later") {
  const Isolation stop{1, {{1, {}, at_second(0), "uid 0", "", {}, {}}}};
  auto config = sample_config();
  config.facilities.push_back(facility("okushiri", {network("10.9.0.0/24")}, {"karte"}));
  const auto after = policy::isolate(policy::compile(config, at_second(0)).plan, stop);
  CHECK(policy::all_isolated(after));
  CHECK(after.permissions.empty());
  for (const auto& route : after.routes)
    if (!route.interface.empty()) CHECK(route.table == RouteTable::kOwnToServices);  // the gateway's own
  CHECK(policy::verify(after).empty());
  CHECK(policy::without_isolated(after).facilities.empty());
}

TEST_CASE("isolation: another name, key or network lifts nothing, one after the other neither") {
  auto config = sample_config();
  auto isolation = order_for("hakodate");
  const auto held = [&] {
    const auto plan = policy::isolate(policy::compile(config, at_second(0)).plan, isolation);
    (void)policy::learn(isolation, policy::compile(config, at_second(0)).plan);  // as the gateway does when it runs
    return std::ranges::count_if(plan.facilities, &policy::FacilityPlan::isolated);
  };
  auto& facility = config.facilities[1];
  facility.name.text = "hakodate-byoin", config.exchanges.clear(), config.inside_may_reach.clear();
  CHECK(held() == 1);
  CHECK(policy::isolation_notes(isolation, policy::compile(config, at_second(0)).plan).size() == 1);
  facility.tunnel.wireguard.public_key = "another-key";  // its network is known
  CHECK(held() == 1);
  facility.name.text = "another-name", facility.networks = {network("10.77.0.0/24")};  // its key is known
  CHECK(held() == 1);
  facility.tunnel.protocol = config::TunnelProtocol::kIkev2, facility.tunnel.ikev2.remote_id = "fqdn:rtx.example";
  CHECK(held() == 1);
  facility.name.text = "third-name", facility.networks = {network("10.78.0.0/24")};
  CHECK(held() == 1);
  config.facilities.erase(config.facilities.begin() + 1);
  CHECK(held() == 0);
  CHECK(policy::isolation_notes(isolation, policy::compile(config, at_second(0)).plan).size() == 1);
}

TEST_CASE("isolation: learning says whether something was new") {
  Isolation isolation{1, {{1, {"hakodate"}, at_second(0), "uid 0", "", {}, {}}}};
  CHECK(policy::learn(isolation, whole()));
  CHECK_FALSE(policy::learn(isolation, whole()));
  CHECK(isolation.orders[0].identities == std::vector<std::string>{"wireguard hakodate-key"});
  CHECK(isolation.orders[0].networks.size() == 2);
}

TEST_CASE("isolation: of another plan, by name") {
  const auto cut = policy::isolate(whole(), order_for("matsumae"));
  CHECK(policy::isolate_as(whole(), cut) == cut);
  CHECK(policy::isolate_as(whole(), whole()) == whole());
}

TEST_CASE("isolation: verify finds whatever lets an isolated facility pass") {
  const auto before = whole();
  const auto good = policy::isolate(before, order_for("hakodate"));
  const auto found = [](const Plan& plan) {
    const auto findings = policy::verify(plan);
    return std::ranges::any_of(findings, [](const auto& f) { return f.what.find("isolated") != std::string::npos; });
  };
  REQUIRE_FALSE(found(good));
  for (const auto& row : before.permissions) {
    if (!touches(row, "hakodate")) continue;
    auto broken = good;
    broken.permissions.push_back(row);
    std::ranges::sort(broken.permissions);
    CHECK(found(broken));
  }
  for (const auto& route : before.routes) {
    if (route.table != RouteTable::kToFacilities ||
        !named(before, "hakodate").networks[0].seen.overlaps(route.destination))
      continue;
    auto broken = good;
    std::erase_if(broken.routes,
                  [&](const auto& r) { return r.table == route.table && r.destination == route.destination; });
    CHECK(found(broken));  // not unreachable
    broken.routes.push_back(route);
    std::ranges::sort(broken.routes);
    CHECK(found(broken));
  }
}
