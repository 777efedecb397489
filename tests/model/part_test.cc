// A part of a plan against the whole: what `explain` asks the layers about one pair, from a plan cut down to what has a
// say about that pair, is what the whole plan's layers answer, word by word.
#include "policy/part.h"

#include <catch2/catch.hpp>
#include <set>

#include "gateway/core/layers.h"
#include "policy/compile.h"
#include "policy/decide.h"
#include "policy/isolation.h"
#include "policy/packet_set.h"
#include "tests/policy/random_config.h"

using namespace tests;
using config::value::IpAddress;
using config::value::IpProtocol;
using gateway::core::Layers;
using policy::Packet;
using policy::Plan;

namespace {

// First, last and some host of each network and each host that a row or a facility names, and two that nobody has.
std::vector<IpAddress> ends_of(const Plan& plan) {
  std::set<IpAddress> out{address("203.0.113.77"), address("2001:db8:ffff::77")};
  const auto add = [&](const policy::Prefix& prefix) {
    const auto range = policy::range_of(prefix);
    out.insert(range.first), out.insert(range.last);
  };
  for (const auto& facility : plan.facilities)
    for (const auto& network : facility.networks) add(network.seen), add(network.real);
  for (const auto& row : plan.permissions) add(row.source), add(row.destination);
  return {out.begin(), out.end()};
}

std::vector<Packet> packets_between(const Plan& plan, const IpAddress& source, const IpAddress& destination) {
  std::vector<Packet> out{{source, destination, source.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpV6, 0, 0},
                          {source, destination, IpProtocol::kTcp, 49152, 22}};
  for (const auto& row : plan.permissions)
    if (row.port.has_ports() && (row.source.contains(source) || row.destination.contains(destination))) {
      out.push_back({source, destination, row.port.protocol, 49152, row.port.last});
      if (out.size() > 8) break;
    }
  return out;
}

std::string text_of(const std::vector<gateway::core::LayerAnswer>& answers) {
  std::string text;
  for (const auto& each : answers)
    text += each.layer + "|" + each.facility + "|" + (each.passes ? "passes" : "refuses") + "|" + each.says + "\n";
  return text;
}

void compare(const Plan& plan, unsigned seed) {
  const auto whole = Layers::compile(plan);
  REQUIRE(whole);
  std::size_t wrong = 0;
  const auto ends = ends_of(plan);
  for (const auto& source : ends)
    for (const auto& destination : ends) {
      if (source.family() != destination.family()) continue;
      const Plan part = policy::part_about(plan, {source, destination});
      const auto layers = Layers::compile(part);
      REQUIRE(layers);
      for (const auto& packet : packets_between(plan, source, destination)) {
        const auto wanted = text_of(whole->ask(packet, at_second(kRandomNow)));
        const auto found = text_of(layers->ask(packet, at_second(kRandomNow)));
        if (wanted == found || wrong++ > 3) continue;
        CAPTURE(seed, source.to_string(), destination.to_string(), packet.destination_port, wanted, found);
        CHECK(wanted == found);
      }
    }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("part: layers of the part say of its pair what those of the whole plan say", "[part]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomConfig random(seed);
    const Plan plan = policy::compile(random.config(), at_second(kRandomNow)).plan;
    if (!Layers::compile(plan)) continue;  // some contradict themselves on purpose
    compare(plan, seed);
    policy::Isolation isolation{1, {{1, plan.facilities.front().name, {}, "", "", {}, {}}}};
    (void)policy::learn(isolation, plan);
    compare(policy::isolate(plan, isolation), seed);
  }
}

TEST_CASE("part: all but rows, facilities and routes is as in the plan", "[part]") {
  Plan plan = policy::compile(sample_config(), at_second(kExchangeEnds - 1)).plan;
  plan.live = {77, false}, plan.tunnel_mtu = 1333, plan.ikev2 = !plan.ikev2, plan.inside_interface = "dc9";
  Plan part = policy::part_about(plan, {address("10.2.0.7"), address("100.64.1.5")});
  part.permissions = plan.permissions, part.facilities = plan.facilities, part.routes = plan.routes;
  CHECK(part.live == plan.live);
  CHECK(part == plan);
}

TEST_CASE("part: it is a part, and nothing that has a say is missing", "[part]") {
  const Plan plan = policy::compile(sample_config(), at_second(kExchangeEnds - 1)).plan;
  const Plan part = policy::part_about(plan, {address("10.2.0.7"), address("100.64.1.5")});
  CHECK(part.permissions.size() < plan.permissions.size());
  CHECK(part.rules == plan.rules);
  CHECK(policy::decide(part, {address("10.2.0.7"), address("100.64.1.5"), IpProtocol::kTcp, 49152, 104},
                       at_second(kExchangeEnds - 1))
            .allowed());
  const Packet of_others{address("10.3.0.7"), address("10.80.0.10"), IpProtocol::kTcp, 49152, 443};
  CHECK(policy::decide(plan, of_others, at_second(kExchangeEnds - 1)).allowed());
  CHECK_FALSE(policy::decide(part, of_others, at_second(kExchangeEnds - 1)).allowed());
}
