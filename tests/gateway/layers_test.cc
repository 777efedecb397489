// Every layer by itself, and all of them together against policy::decide: what policy permits passes every layer, and
// what it denies is refused by the guard and by nftables, each without the other (P4).
#include "gateway/core/layers.h"

#include <catch2/catch.hpp>

#include "policy/compile.h"
#include "policy/isolation.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using config::value::IpProtocol;
using gateway::core::LayerAnswer;
using gateway::core::Layers;

namespace {

Layers layers_of(const policy::Plan& plan) {
  auto layers = Layers::compile(plan);
  REQUIRE(layers);
  return *std::move(layers);
}

const config::WallTime kBefore = at_second(kExchangeEnds - 1);

policy::Plan plan_of(const config::GatewayConfig& config = sample_config()) {
  return policy::compile(config, kBefore).plan;
}

config::GatewayConfig with_ikev2_esashi() {
  auto config = sample_config();
  auto& tunnel = config.facilities[0].tunnel;
  tunnel.protocol = config::TunnelProtocol::kIkev2;
  tunnel.ikev2.remote_id = "fqdn:esashi.example";
  return config;
}

policy::Packet packet(const std::string& from, const std::string& to, IpProtocol protocol, std::uint16_t number) {
  return {address(from), address(to), protocol, static_cast<std::uint16_t>(number == 0 ? 0 : 49152), number};
}

const LayerAnswer& of(const std::vector<LayerAnswer>& answers, std::string_view layer, std::string_view facility = "") {
  for (const auto& each : answers)
    if (each.layer == layer && (facility.empty() || each.facility == facility)) return each;
  FAIL("no answer of the layer " << layer);
  return answers.front();
}

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("layers: a permitted flow to a service, layer by layer", "[layers]") {
  const auto plan = plan_of();
  const auto found = layers_of(plan).ask(packet("100.64.1.7", "10.80.0.10", IpProtocol::kTcp, 443), kBefore);
  REQUIRE(found.size() == 4);
  CHECK(gateway::core::all_pass(found));
  CHECK(found[0].says == "WireGuard: 192.168.1.7 (seen as 100.64.1.7) may come out of it, in 192.168.1.0/24");
  CHECK(found[1].says == "out of the tunnel: permitted");
  CHECK(found[2].says == "rule 7110, table 7101: 10.80.0.10/32 by dc0 via 10.90.0.1");
  CHECK(has(found[3].says, "to_inside4: service4, rule "));
}

TEST_CASE("layers: an exchange crosses two tunnels and its own table", "[layers]") {
  const auto plan = plan_of();
  const auto layers = layers_of(plan);
  const auto open = packet("10.2.0.7", "100.64.1.5", IpProtocol::kTcp, 104);
  const auto found = layers.ask(open, kBefore);
  CHECK(found.size() == 6);
  CHECK(gateway::core::all_pass(found));
  CHECK(has(of(found, "route").says, "rule 7100, table 7103: 100.64.1.5/32 by sekisho0"));
  CHECK(has(of(found, "nftables").says, "across4: exchange4"));
  CHECK(has(of(found, "tunnel", "hakodate").says, "192.168.1.5 (seen as 100.64.1.5) may go into it"));
  const auto ended = layers.ask(open, at_second(kExchangeEnds));
  CHECK_FALSE(of(ended, "guard").passes);  // the guard has a clock, the kernel's table is replaced by the controller
  CHECK(has(of(ended, "guard").says, "expired"));
  const auto later = policy::compile(sample_config(), at_second(kExchangeEnds)).plan;
  const auto closed = layers_of(later).ask(open, at_second(kExchangeEnds));
  CHECK(has(of(closed, "route").says, "table 7101: 0.0.0.0/0 is unreachable"));
  CHECK(has(of(closed, "nftables").says, "mark_exchange4: refused, detour"));
}

TEST_CASE("layers: each refuses what it should, by itself", "[layers]") {
  const auto plan = plan_of();
  const auto layers = layers_of(plan);
  const auto detour = layers.ask(packet("10.3.0.7", "100.64.1.5", IpProtocol::kTcp, 104), kBefore);
  for (const auto* layer : {"guard", "route", "nftables"}) CHECK_FALSE(of(detour, layer).passes);
  CHECK(of(detour, "tunnel", "hakodate").passes);  // WireGuard looks at the facility's own side alone
  const auto port = layers.ask(packet("10.2.0.7", "10.80.0.10", IpProtocol::kTcp, 22), kBefore);
  CHECK(has(of(port, "guard").says, "refused, not-permitted"));
  CHECK(has(of(port, "nftables").says, "to_inside4: refused, not_permitted"));
  CHECK(of(port, "route").passes);  // routes know no ports
  const auto stranger = layers.ask(packet("192.0.2.1", "10.80.0.10", IpProtocol::kTcp, 443), kBefore);
  CHECK(has(of(stranger, "nftables").says, "prerouting: refused, detour"));
  CHECK_FALSE(of(stranger, "route").passes);
  const auto inside = layers.ask(packet("10.80.0.20", "100.64.1.5", IpProtocol::kTcp, 104), kBefore);
  CHECK(has(of(inside, "nftables").says, "to_tunnel4: refused, not_permitted"));
  CHECK_FALSE(of(inside, "guard").passes);
}

TEST_CASE("layers: an IKEv2 tunnel also judges the other end", "[layers]") {
  const auto plan = plan_of(with_ikev2_esashi());
  const auto layers = layers_of(plan);
  CHECK(of(layers.ask(packet("10.3.0.7", "10.80.0.10", IpProtocol::kTcp, 443), kBefore), "tunnel").passes);
  const auto other = layers.ask(packet("10.3.0.7", "10.80.0.20", IpProtocol::kTcp, 80), kBefore);
  CHECK(of(other, "tunnel").says == "IKEv2: 10.80.0.20 is in no selector of its tunnel");
  CHECK_FALSE(of(other, "tunnel").passes);
}

TEST_CASE("layers: with policy, for every pair of ends and ports; what is denied is refused twice", "[layers]") {
  for (const auto& config : {sample_config(), with_ikev2_esashi()}) {
    const auto plan = plan_of(config);
    const auto layers = layers_of(plan);
    const std::vector<std::string> ends{"10.3.0.7",        "10.2.0.7",        "100.64.1.5", "100.64.1.6",
                                        "10.80.0.10",      "10.80.0.20",      "192.0.2.1",  "2001:db8:b::7",
                                        "2001:db8:a::5",   "2001:db8:a::6",   "10.80.0.11", "10.2.1.7",
                                        "2001:db8:80::10", "2001:db8:80::11", "10.3.0.9"};
    std::size_t allowed = 0;
    for (const auto& from : ends)
      for (const auto& to : ends) {
        if (from == to || address(from).family() != address(to).family()) continue;
        const auto echo = address(to).is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpV6;
        const std::pair<IpProtocol, std::uint16_t> opens[] = {
            {IpProtocol::kTcp, 443},  {IpProtocol::kTcp, 104},  {IpProtocol::kTcp, 22},
            {IpProtocol::kTcp, 80},   {IpProtocol::kUdp, 4999}, {IpProtocol::kUdp, 5000},
            {IpProtocol::kUdp, 5010}, {IpProtocol::kUdp, 5011}, {echo, 0}};
        for (const auto& [protocol, number] : opens) {
          const auto asked = packet(from, to, protocol, number);
          const auto found = layers.ask(asked, kBefore);
          const bool permitted = policy::decide(plan, asked, kBefore).allowed();
          INFO(from << " -> " << to << " " << number << " permitted " << permitted);
          CHECK(gateway::core::all_pass(found) == permitted);
          CHECK(of(found, "nftables").passes == permitted);
          const bool facility = policy::facility_of(plan, asked.source) || policy::facility_of(plan, asked.destination);
          if (facility) CHECK(of(found, "guard").passes == permitted);
          allowed += permitted ? 1 : 0;
        }
      }
    CHECK(allowed > 20);
  }
}

TEST_CASE("layers: of an isolated facility each refuses by itself, and of the others none", "[layers]") {
  policy::Isolation isolation{1, {{1, {"hakodate"}, {}, "test", "", {}, {}}}};
  const auto plan = policy::isolate(plan_of(), isolation);
  const auto layers = layers_of(plan);
  const auto out = layers.ask(packet("100.64.1.7", "10.80.0.10", IpProtocol::kTcp, 443), kBefore);
  for (const auto* layer : {"tunnel", "guard", "nftables"}) CHECK_FALSE(of(out, layer).passes);
  CHECK(of(out, "tunnel").says == "it is isolated: it has no tunnel");
  const auto in = layers.ask(packet("10.80.0.10", "100.64.1.5", IpProtocol::kTcp, 104), kBefore);
  for (const auto* layer : {"tunnel", "guard", "route"}) CHECK_FALSE(of(in, layer).passes);
  CHECK(has(of(in, "route").says, "table 7102: 100.64.1.0/24 is unreachable"));
  const auto across = layers.ask(packet("10.2.0.7", "100.64.1.5", IpProtocol::kTcp, 104), kBefore);
  for (const auto* layer : {"guard", "route", "nftables"}) CHECK_FALSE(of(across, layer).passes);
  CHECK_FALSE(of(across, "tunnel", "hakodate").passes);
  CHECK(gateway::core::all_pass(layers.ask(packet("10.2.0.7", "10.80.0.10", IpProtocol::kTcp, 443), kBefore)));
}
