// gateway/core/live_tunnels.cc: what tunneld tells against the plan, difference by difference, and as the sets that the
// proof takes.
#include "gateway/core/live_tunnels.h"

#include <functional>

#include "tests/model/live_world.h"

using namespace live_world;
using gateway::core::TunnelFact;
using gateway::core::TunnelState;

namespace {

// The sample; matsumae behind IKEv2, whose selectors name both ends.
policy::Plan plan_of() {
  auto config = sample_config();
  auto& tunnel = config.facilities[2].tunnel;
  tunnel.protocol = config::TunnelProtocol::kIkev2;
  tunnel.ikev2.remote_id = "fqdn:rtx.matsumae.example";
  return policy::compile(config, kNow).plan;
}

TunnelFact& of(TunnelState& state, const std::string& facility) {
  return *std::ranges::find(state.tunnels, facility, &TunnelFact::facility);
}

gateway::core::PermissionRow row(const char* from, const char* to, config::WallTime until) {
  return {policy::range_of(prefix(from)), policy::range_of(prefix(to)), 6, 22, 22, until};
}

struct Case {
  const char* name;
  std::function<void(TunnelState&)> edit;
  const char *layer, *words;  // of the only difference; no layer: there is none
  bool opens = false, closes = false;
};

const std::vector<Case> kCases{
    {"nothing", [](auto&) {}, "", ""},
    {"selectors in another order, and one twice",
     [](auto& s) {
       auto& near = of(s, "hakodate").near;
       std::ranges::reverse(near);
       near.push_back(near.front());
     },
     "", ""},
    {"a row that has ended", [](auto& s) { s.rows.push_back(row("10.2.0.0/24", "10.3.0.0/24", at_second(1))); }, "",
     ""},
    {"a row inside of another",
     [](auto& s) {
       auto inner = s.rows.front();
       inner.source.last = inner.source.first;
       s.rows.push_back(inner);
     },
     "", ""},
    {"wider selectors", [](auto& s) { of(s, "esashi").near.push_back(prefix("10.99.0.0/16")); }, "tunnels",
     "selectors of esashi: 10.3.0.0/24, 10.99.0.0/16", true, false},
    {"narrower selectors", [](auto& s) { of(s, "hakodate").near.pop_back(); }, "tunnels",
     "selectors of hakodate: ", false, true},
    {"other selectors", [](auto& s) { of(s, "esashi").near = {prefix("10.4.0.0/24")}; }, "tunnels",
     "selectors of esashi: 10.4.0.0/24", true, true},
    {"no selectors", [](auto& s) { of(s, "esashi").near.clear(); }, "tunnels", "selectors of esashi: nothing", false,
     true},
    {"the gateway's side wider", [](auto& s) { of(s, "matsumae").far.push_back(prefix("10.80.0.0/16")); }, "tunnels",
     "selectors of the gateway's side of matsumae", true, false},
    {"the gateway's side narrower", [](auto& s) { of(s, "matsumae").far.pop_back(); }, "tunnels",
     "selectors of the gateway's side of matsumae", false, true},
    {"a tunnel of nobody's", [](auto& s) { s.tunnels.emplace_back().facility = "stranger"; }, "tunnels",
     "tunnel of stranger", true, false},
    {"a tunnel missing",
     [](auto& s) { std::erase_if(s.tunnels, [](const auto& each) { return each.facility == "esashi"; }); }, "tunnels",
     "tunnel of esashi missing", false, true},
    {"another protocol", [](auto& s) { of(s, "esashi").both_ends = true; }, "tunnels", "tunnel of esashi", true, true},
    {"another translation", [](auto& s) { of(s, "hakodate").networks[0].seen = prefix("100.64.9.0/24"); }, "tunnels",
     "translation of hakodate", true, true},
    {"a network that the guard gives to nobody", [](auto& s) { of(s, "esashi").guarded.clear(); }, "guard",
     "networks of esashi: nothing", false, true},
    {"a network too many in the guard", [](auto& s) { of(s, "esashi").guarded.push_back(prefix("10.5.0.0/24")); },
     "guard", "networks of esashi: ", true, false},
    {"a row too many", [](auto& s) { s.rows.push_back(row("10.2.0.0/24", "10.3.0.0/24", config::WallTime::max())); },
     "guard", "row of the guard: 10.2.0.0-10.2.0.255 -> 10.3.0.0-10.3.0.255", true, false},
    {"no rows", [](auto& s) { s.rows.clear(); }, "guard", "no row of the guard for ", false, true},
    {"a fault switch", [](auto& s) { s.faults = {"open_selectors"}; }, "tunnels", "fault switch open_selectors", true,
     false},
};

policy::PacketPoint packet(const char* from, const char* to) {
  return {address(from), address(to), 6, 443};
}

bool carried(const gateway::core::Selectors& by, const policy::PacketPoint& packet) {
  return by.of(policy::PacketSet::everything()).contains(packet);
}

}  // namespace

TEST_CASE("live tunnels: each difference is named once, with what it opens and closes, and nothing else is") {
  const auto plan = plan_of();
  for (const Case& each : kCases) {
    CAPTURE(each.name);
    auto told = tunnels_of(plan);
    each.edit(told);
    const auto found = gateway::core::installed_tunnels(plan, told, kNow).differences;
    for (const auto& difference : found) UNSCOPED_INFO(gateway::core::to_sentence(difference));
    REQUIRE(found.size() == (*each.layer == 0 ? 0 : 1));
    if (found.empty()) continue;
    CHECK(found[0].layer == each.layer);
    CHECK(found[0].what.find(each.words) == 0);
    CHECK(found[0].opens == each.opens);
    CHECK(found[0].closes == each.closes);
    CHECK(found[0].ours);
  }
}

TEST_CASE("live tunnels: an isolated facility is to have no tunnel, and one that it has is told") {
  auto plan = plan_of();
  const auto before = tunnels_of(plan);
  plan.facilities[0].isolated = true;  // esashi
  std::erase_if(plan.permissions, [](const auto& row) { return row.from_facility.text == "esashi"; });
  CHECK(gateway::core::installed_tunnels(plan, tunnels_of(plan), kNow).differences.empty());
  const auto found = gateway::core::installed_tunnels(plan, before, kNow).differences;
  CHECK(std::ranges::any_of(found, [](const auto& each) { return each.what == "tunnel of esashi" && each.opens; }));
}

TEST_CASE("live tunnels: what comes out of a tunnel is told as others see it") {
  const auto plan = plan_of();
  auto told = tunnels_of(plan);
  of(told, "hakodate").near.push_back(prefix("172.16.0.0/12"));  // of no network: as it is
  std::erase_if(told.tunnels, [](const auto& each) { return each.facility == "esashi"; });
  const auto sources = gateway::core::installed_tunnels(plan, told, kNow).installed.sources;
  REQUIRE(sources.size() == 3);
  CHECK(sources[0].empty());
  CHECK(sources[1] == std::vector<policy::AddressRange>{policy::range_of(prefix("100.64.1.0/24")),
                                                        policy::range_of(prefix("2001:db8:a::/64")),
                                                        policy::range_of(prefix("172.16.0.0/12"))});
}

TEST_CASE("live tunnels: selectors and guard as sets are what was told, whatever the plan says") {
  const auto plan = plan_of();
  auto told = tunnels_of(plan);
  auto installed = gateway::core::installed_tunnels(plan, told, kNow).installed;
  const auto used = packet("10.2.0.9", "10.80.0.10"), other = packet("10.2.0.9", "10.80.0.99"),
             foreign = packet("10.4.0.9", "10.80.0.10"), esashi = packet("10.3.0.9", "10.80.0.99");
  CHECK(carried(installed.at_source, used));
  CHECK_FALSE(carried(installed.at_source, other));  // of IKEv2: both ends
  CHECK(carried(installed.at_source, esashi));       // of WireGuard: the facility's alone
  CHECK_FALSE(carried(installed.at_source, foreign));
  CHECK(carried(installed.at_destination, packet("10.80.0.99", "10.3.0.9")));
  CHECK_FALSE(carried(installed.at_destination, packet("10.80.0.99", "10.4.0.9")));
  CHECK(installed.permitted.contains(used));
  CHECK_FALSE(installed.permitted.contains(other));
  CHECK_FALSE(installed.permitted.contains(packet("10.2.0.0", "10.80.0.10")));  // no host's address
  CHECK(installed.of_facilities.contains(used));
  CHECK_FALSE(installed.of_facilities.contains(foreign));
  of(told, "matsumae").far.push_back(prefix("10.80.0.99/32"));
  of(told, "esashi").near.push_back(prefix("10.4.0.0/24")), of(told, "esashi").guarded.push_back(prefix("10.4.0.0/24"));
  told.rows.clear();
  installed = gateway::core::installed_tunnels(plan, told, kNow).installed;
  CHECK(carried(installed.at_source, other));
  CHECK(carried(installed.at_source, foreign));
  CHECK(installed.of_facilities.contains(foreign));
  CHECK(installed.permitted.empty());
}
