// gateway/core/data_plane_installed.cc: what the data plane tells of itself is what it was given, and each change of it
// is in what it tells.
#include <sodium.h>

#include <algorithm>

#include "gateway/core/data_plane.h"
#include "gateway/core/ike_peers.h"
#include "gateway/core/live_tunnels.h"
#include "policy/compile.h"
#include "policy/isolation.h"
#include "tests/gateway/data_plane_packets.h"
#include "tests/policy/sample_config.h"
#include "tests/sim/nodes.h"

using namespace std::chrono_literals;
using config::value::Prefix;
using gateway::core::TunnelFact;
using gateway::core::TunnelState;

namespace {

std::string base64(const sim::Key& key) {
  std::string text(45, '\0');
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(44);
  return text;
}

policy::Plan two_with_wireguard() {
  auto plan = packets::two_facilities();
  plan.facilities[0].wireguard.public_key = base64(sim::public_of(11));
  plan.facilities[1].wireguard.public_key = base64(sim::public_of(22));
  for (auto& row : plan.permissions)
    if (row.until) row.until = sim::kWallStart + 1h;
  return plan;
}

// matsumae of the sample alone, behind IKEv2.
policy::Plan one_with_ikev2() {
  auto config = tests::sample_config();
  config.gateway.outside.addresses = {tests::address("203.0.113.10")};
  std::erase_if(config.facilities, [](const auto& each) { return each.name.text != "matsumae"; });
  config.exchanges.clear(), config.inside_may_reach.clear();
  auto& tunnel = config.facilities.at(0).tunnel;
  tunnel = {};
  tunnel.protocol = config::TunnelProtocol::kIkev2;
  tunnel.ikev2.remote_id = "fqdn:rtx.matsumae.example";
  tunnel.ikev2.psk_file = "keys/matsumae.psk";
  return policy::compile(config, sim::kWallStart).plan;
}

class World {
 public:
  void apply(const policy::Plan& plan) {
    const auto applied = plane.apply(plan, {sim::public_of(9), 0, {}, {}, {}}, {sim::kStart, sim::kWallStart}, out_);
    INFO((applied ? std::string() : applied.error()));
    REQUIRE(applied.has_value());
  }

 private:
  sim::SeededRng rng_{9};
  gateway::core::DataPlaneOutputs out_;

 public:
  gateway::core::DataPlane plane{rng_};
};

const TunnelFact& of(const TunnelState& state, const std::string& facility) {
  const auto found = std::ranges::find(state.tunnels, facility, &TunnelFact::facility);
  REQUIRE(found != state.tunnels.end());
  return *found;
}

void check_it_is(const policy::Plan& plan, const TunnelState& told) {
  for (const auto& each : gateway::core::installed_tunnels(plan, told, sim::kWallStart).differences)
    FAIL_CHECK(gateway::core::to_sentence(each));
}

}  // namespace

TEST_CASE("data plane installed: nothing before the first plan", "[data_plane]") {
  World world;
  const auto told = world.plane.installed();
  CHECK(told.tunnels.empty());
  CHECK(told.rows.empty());
  CHECK(told.faults.empty());
}

TEST_CASE("data plane installed: each tunnel with its selectors, translation and networks, and the guard's rows",
          "[data_plane]") {
  World world;
  const auto plan = two_with_wireguard();
  world.apply(plan);
  const auto told = world.plane.installed();
  REQUIRE(told.tunnels.size() == 2);
  const auto& b = of(told, "b");
  CHECK_FALSE(b.both_ends);
  CHECK(b.near == std::vector<Prefix>{packets::net("192.168.1.0/24"), packets::net("fd99::/64")});  // real
  CHECK(b.far.empty());
  CHECK(b.networks == plan.facilities[1].networks);
  CHECK(b.guarded == std::vector<Prefix>{packets::net("100.64.1.0/24"), packets::net("fd00:2::/64")});  // seen
  CHECK(told.rows == gateway::core::Guard::compile(plan)->permission_rows());
  CHECK_FALSE(told.rows.empty());
  check_it_is(plan, told);
}

TEST_CASE("data plane installed: what a plan takes away is gone, and what it isolates", "[data_plane]") {
  World world;
  auto plan = two_with_wireguard();
  world.apply(plan);
  const auto before = world.plane.installed();
  auto fewer = plan;
  SECTION("a row") {
    fewer.permissions.pop_back();
  }
  SECTION("a network") {
    fewer.facilities[0].networks.pop_back();
    std::erase_if(fewer.permissions, [](const auto& row) { return !row.source.address().is_v4(); });
  }
  SECTION("a facility, isolated") {
    fewer.facilities[1].isolated = true;
    std::erase_if(fewer.permissions,
                  [](const auto& row) { return row.from_facility.text == "b" || row.to_facility.text == "b"; });
  }
  world.apply(fewer);
  const auto told = world.plane.installed();
  CHECK(told.rows.size() < before.rows.size());
  CHECK(told.tunnels.size() == (fewer.facilities[1].isolated ? 1 : 2));
  check_it_is(fewer, told);
  CHECK_FALSE(gateway::core::installed_tunnels(plan, told, sim::kWallStart).differences.empty());  // the other plan
}

TEST_CASE("data plane installed: an IKEv2 tunnel has selectors of both ends", "[data_plane]") {
  World world;
  const auto plan = one_with_ikev2();
  world.apply(plan);
  const auto told = world.plane.installed();
  const auto& fact = of(told, "matsumae");
  CHECK(fact.both_ends);
  CHECK(fact.near == std::vector<Prefix>{tests::prefix("10.2.0.0/24"), tests::prefix("2001:db8:b::/64")});
  const auto reached = gateway::core::destinations_of(plan).at("matsumae");
  CHECK(std::set<Prefix>(fact.far.begin(), fact.far.end()) == reached);
  CHECK(std::ranges::find(fact.far, tests::prefix("10.80.0.10/32")) != fact.far.end());
  check_it_is(plan, told);
}

#ifdef SEKISHO_FAULTS
TEST_CASE("data plane installed: a fault switch is told", "[data_plane]") {
  World world;
  world.apply(two_with_wireguard());
  world.plane.set_faults({.open_guard = true});
  CHECK(world.plane.installed().faults == std::vector<std::string>{"open_guard"});
  world.plane.set_faults({.open_selectors = true});
  CHECK(world.plane.installed().faults == std::vector<std::string>{"open_selectors"});
}
#endif
