// Where rules and tables send packets: the kernel's order of rules, and in a table the longest prefix.
#include "policy/routed.h"

#include <catch2/catch.hpp>

#include "tests/policy/sample_config.h"

using namespace tests;
using policy::Family;
using policy::PacketSet;
using policy::Plan;
using policy::RouteTable;

namespace {

Plan plan() {
  Plan made;
  made.routes = {{RouteTable::kFromTunnels, prefix("10.80.0.10/32"), "dc0", {}},
                 {RouteTable::kFromTunnels, prefix("0.0.0.0/0"), "", {}},
                 {RouteTable::kToFacilities, prefix("10.1.0.0/16"), "sekisho0", {}},
                 {RouteTable::kToFacilities, prefix("10.1.7.0/24"), "", {}}};
  made.rules = {{100, "sekisho0", 0, RouteTable::kFromTunnels, false},
                {101, "sekisho0", 0, RouteTable::kFromTunnels, true},
                {102, "dc0", 0, RouteTable::kToFacilities, false}};
  return made;
}

// The interface, "" when nowhere.
std::string way(const Plan& of, const char* in, const char* destination, std::uint32_t mark = 0, bool answer = false) {
  policy::Routing routing(of);
  const auto ends = answer ? PacketSet::from({policy::range_of(prefix(destination))})
                           : PacketSet::to({policy::range_of(prefix(destination))});
  const auto found = routing.of(in, mark, ends & PacketSet::all(Family::kV4), answer);
  REQUIRE(found.size() <= 1);
  return found.empty() ? "" : found[0].interface;
}

}  // namespace

TEST_CASE("routed: the longest prefix leads, unreachable leads nowhere, and prohibit ends it") {
  CHECK(way(plan(), "sekisho0", "10.80.0.10/32") == "dc0");
  CHECK(way(plan(), "sekisho0", "10.80.0.11/32").empty());
  CHECK(way(plan(), "dc0", "10.1.8.1/32") == "sekisho0");
  CHECK(way(plan(), "dc0", "10.1.7.1/32").empty());
  CHECK(way(plan(), "dc0", "10.2.0.1/32") == policy::kHostRoutes);  // no route of the table: the host's own decide
  CHECK(way(plan(), "wan0", "10.1.8.1/32") == policy::kHostRoutes);
  auto fell = plan();
  std::erase_if(fell.routes, [](const auto& route) { return route.destination.length() == 0; });
  CHECK(way(fell, "sekisho0", "10.80.0.11/32").empty());  // the prohibit behind it
  std::erase_if(fell.rules, [](const auto& rule) { return rule.prohibit; });
  CHECK(way(fell, "sekisho0", "10.80.0.11/32") == policy::kHostRoutes);
}

TEST_CASE("routed: a mark chooses its rule, and an answer goes by the flow's source") {
  auto marked = plan();
  marked.rules.insert(marked.rules.begin(), {99, "sekisho0", policy::kExchangeMark, RouteTable::kToFacilities, false});
  CHECK(way(marked, "sekisho0", "10.1.8.1/32", policy::kExchangeMark) == "sekisho0");
  CHECK(way(marked, "sekisho0", "10.1.8.1/32").empty());
  CHECK(way(plan(), "dc0", "10.1.8.1/32", 0, true) == "sekisho0");
}

TEST_CASE("routed: a set is divided by where its packets go, and nothing of it is lost or doubled") {
  const Plan of = plan();
  policy::Routing routing(of);
  const PacketSet all = PacketSet::to({policy::range_of(prefix("10.0.0.0/8"))});
  PacketSet found;
  for (const auto& each : routing.of("dc0", 0, all, false)) {
    CHECK((found & each.packets).empty());
    found = found | each.packets;
  }
  CHECK(found == all - PacketSet::to({policy::range_of(prefix("10.1.7.0/24"))}));
}
