// verify finds nothing in a good plan, and finds every single thing that is broken on purpose.
#include "policy/verify.h"

#include <catch2/catch.hpp>
#include <functional>

#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;

namespace {

struct Break {
  const char* what;
  const char* promise;
  std::function<void(policy::Plan&)> apply;
};

policy::Permission& row_of(policy::Plan& plan, policy::PermissionKind kind) {
  for (auto& row : plan.permissions)
    if (row.kind == kind) return row;
  FAIL("the sample has no such row");
  return plan.permissions.front();
}

using policy::PermissionKind;

const std::vector<Break> kBreaks = {
    {"two facilities share a network", "P2",
     [](policy::Plan& p) { p.facilities[0].networks.push_back({prefix("10.2.0.128/25"), prefix("10.2.0.128/25")}); }},
    {"a source wider than its facility", "P2",
     [](policy::Plan& p) { row_of(p, PermissionKind::kService).source = prefix("10.0.0.0/8"); }},
    {"a source of another facility", "P2",
     [](policy::Plan& p) {
       auto& row = row_of(p, PermissionKind::kExchange);
       row.source = prefix("10.3.0.0/24");
     }},
    {"a service that is a facility's host", "P1",
     [](policy::Plan& p) {
       auto& row = row_of(p, PermissionKind::kService);
       row.source = prefix("10.2.0.0/24");
       row.from_facility.text = "matsumae";
       row.destination = prefix("10.3.0.9/32");
     }},
    {"a destination that is a whole network", "P1",
     [](policy::Plan& p) {
       auto& row = row_of(p, PermissionKind::kService);
       row.source = prefix("10.2.0.0/24");
       row.from_facility.text = "matsumae";
       row.destination = prefix("10.80.0.0/24");
     }},
    {"a service that is the gateway itself", "P1",
     [](policy::Plan& p) { p.outside_addresses.push_back(address("10.80.0.10")); }},
    {"an exchange to a host that is not the named facility's", "P3",
     [](policy::Plan& p) { row_of(p, PermissionKind::kExchange).to_facility.text = "esashi"; }},
    {"an exchange without an end", "P1", [](policy::Plan& p) { row_of(p, PermissionKind::kExchange).until.reset(); }},
    {"an exchange with itself", "P1",
     [](policy::Plan& p) {
       auto& row = row_of(p, PermissionKind::kExchange);
       row.from_facility = row.to_facility;
     }},
    {"a service row that leads to a facility", "P1",
     [](policy::Plan& p) { row_of(p, PermissionKind::kExchange).kind = PermissionKind::kService; }},
    {"two rows of one number", "P1", [](policy::Plan& p) { p.permissions[1].rule = p.permissions[0].rule; }},
    {"a facility's network in the tunnels' table", "P1",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kFromTunnels, prefix("10.2.0.7/32"), "dc0", std::nullopt});
     }},
    {"a default route in the tunnels' table", "P1",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kFromTunnels, prefix("0.0.0.0/0"), "wan0", std::nullopt});
     }},
    {"a default route for the gateway's own packets to services", "P1",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kOwnToServices, prefix("0.0.0.0/0"), "wan0", std::nullopt});
     }},
    {"a service reached outside", "P1",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kOwnToServices, prefix("10.80.0.10/32"), "wan0", std::nullopt});
     }},
    {"a bystander in the exchange table", "P1",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kExchange, prefix("10.3.0.0/24"), "sekisho0", std::nullopt});
     }},
    {"a facility reached in clear", "P3",
     [](policy::Plan& p) {
       p.routes.push_back({policy::RouteTable::kToFacilities, prefix("10.3.0.0/24"), "wan0", std::nullopt});
     }},
    {"no way into a tunnel", "P3",
     [](policy::Plan& p) {
       std::erase_if(p.routes, [](const auto& r) { return r.table == policy::RouteTable::kToFacilities; });
     }},
    {"tables without an end", "P4",
     [](policy::Plan& p) { std::erase_if(p.routes, [](const auto& r) { return r.interface.empty(); }); }},
    {"no prohibit after the look-ups", "P4",
     [](policy::Plan& p) { std::erase_if(p.rules, [](const auto& r) { return r.prohibit; }); }},
    {"a prohibit before its look-up", "P4",
     [](policy::Plan& p) {
       for (auto& rule : p.rules)
         if (rule.prohibit) rule.priority -= 50;
     }},
};

}  // namespace

TEST_CASE("verify: nothing to say about a compiled plan") {
  CHECK(policy::verify(policy::compile(sample_config(), at_second(1)).plan).empty());
  CHECK(policy::verify(policy::compile(sample_config(), at_second(kExchangeEnds)).plan).empty());
}

TEST_CASE("verify: each break is found, under its promise") {
  for (const Break& broken : kBreaks) {
    policy::Plan plan = policy::compile(sample_config(), at_second(1)).plan;
    broken.apply(plan);
    bool found = false;
    for (const policy::Finding& finding : policy::verify(plan)) found = found || finding.promise == broken.promise;
    INFO(broken.what);
    CHECK(found);
  }
}
