// Each theorem of `sekisho verify` fails when one thing is widened, added, removed or put in another order; and what it
// then names does pass, by those who look at one packet: the layers, and the walk through the table.
#include "gateway/core/proof.h"

#include <catch2/catch.hpp>
#include <functional>

#include "firewall/compile.h"
#include "firewall/first_packet.h"
#include "gateway/core/candidate.h"
#include "gateway/core/layers.h"
#include "policy/compile.h"
#include "policy/verify.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using gateway::core::Breach;
using gateway::core::Guard;
using gateway::core::Proof;
using policy::PermissionKind;
using policy::Plan;

namespace {

const config::WallTime kBefore = at_second(kExchangeEnds - 1);

Plan good_plan() {
  return policy::compile(sample_config(), kBefore).plan;
}

Guard guard_of(const Plan& plan) {
  auto guard = Guard::compile(plan);
  if (!guard) FAIL(guard.error());
  return *std::move(guard);
}

config::value::Result<Proof, std::string> prove(const Plan& plan, const firewall::RuleSet& table, const Guard& guard) {
  return gateway::core::prove({plan, table, guard}, policy::declared(sample_config(), kBefore), kBefore);
}

std::vector<Breach> breaches(const Proof& proof, std::string_view promise) {
  for (const auto& theorem : proof.theorems)
    if (theorem.promise == promise) return theorem.breaches;
  FAIL("no theorem " << promise);
  return {};
}

policy::Packet packet_of(const policy::PacketPoint& point) {
  const bool ports = point.protocol == 6 || point.protocol == 17;
  return {point.source, point.destination, static_cast<config::value::IpProtocol>(point.protocol),
          static_cast<std::uint16_t>(ports ? 49152 : 0), static_cast<std::uint16_t>(ports ? point.port : 0)};
}

bool passes_one_by_one(const Plan& plan, const policy::PacketPoint& point) {
  const auto layers = gateway::core::Layers::compile(plan);
  REQUIRE(layers);
  return gateway::core::all_pass(layers->ask(packet_of(point), kBefore));
}

policy::Permission& row(Plan& plan, PermissionKind kind, const std::string& from = "") {
  for (auto& each : plan.permissions)
    if (each.kind == kind && (from.empty() || each.from_facility.text == from) &&
        each.port.protocol == config::value::IpProtocol::kTcp && each.source.address().is_v4())
      return each;
  FAIL("the sample has no such row");
  return plan.permissions.front();
}

void add_row(Plan& plan, PermissionKind kind, const char* from, const char* to, const char* source,
             const char* destination, const char* opens) {
  policy::Permission added = row(plan, PermissionKind::kExchange);
  added.rule.number = 4711, added.kind = kind;
  added.from_facility.text = from, added.to_facility.text = to;
  added.source = prefix(source), added.destination = prefix(destination), added.port = port(opens);
  if (kind != PermissionKind::kExchange) added.until.reset();
  added.origin = "a line (of.json:7:1)";
  plan.permissions.push_back(added);
  std::sort(plan.permissions.begin(), plan.permissions.end());
}

struct Edit {
  const char* what;
  const char* promise;
  bool passes;       // the packet named, through the whole edited gateway
  const char* says;  // in the breach or its line
  std::function<void(Plan&)> apply;
};

const std::vector<Edit> kPlanEdits{
    {"a service's row with more ports", "P1", true, "matsumae -> inside: 10.2.0.1 -> 10.80.0.10 tcp/1 ",
     [](Plan& p) {
       auto& each = row(p, PermissionKind::kService, "matsumae");
       each.destination = prefix("10.80.0.10");
       each.port = port("tcp/1-1024");
     }},
    {"an exchange nobody declared", "P1", true, "esashi -> hakodate: 10.3.0.1 -> 100.64.1.5 tcp/22 passes",
     [](Plan& p) {
       add_row(p, PermissionKind::kExchange, "esashi", "hakodate", "10.3.0.0/24", "100.64.1.5", "tcp/22");
     }},
    {"an exchange with one port more", "P1", true, "matsumae -> hakodate: 10.2.0.1 -> 100.64.1.5 tcp/105",
     [](Plan& p) {
       add_row(p, PermissionKind::kExchange, "matsumae", "hakodate", "10.2.0.0/24", "100.64.1.5", "tcp/104-105");
     }},
    {"a service more for a facility", "P1", true, "esashi -> inside: 10.3.0.1 -> 10.80.0.20 udp/5000",
     [](Plan& p) { add_row(p, PermissionKind::kService, "esashi", "", "10.3.0.0/24", "10.80.0.20", "udp/5000"); }},
    {"a facility and its row with twice the network", "P2", true, "esashi -> inside: 10.3.1.0 -> 10.80.0.10",
     [](Plan& p) {
       p.facilities[0].networks = {{prefix("10.3.0.0/23"), prefix("10.3.0.0/23")}};
       for (auto& each : p.permissions)
         if (each.from_facility.text == "esashi") each.source = prefix("10.3.0.0/23");
     }},
    {"a facility alone with twice the network", "P2", false,
     "leaves the tunnel, from a source that is not in its networks",
     [](Plan& p) { p.facilities[0].networks = {{prefix("10.3.0.0/23"), prefix("10.3.0.0/23")}}; }},
    {"real addresses seen as others than declared", "P2", false, "hakodate",
     [](Plan& p) {
       for (auto& each : p.facilities[1].networks)
         if (each.real != each.seen) each.seen = prefix("100.64.9.0/24");
       std::erase_if(p.permissions, [](const auto& each) {
         return each.source == prefix("100.64.1.0/24") || each.destination == prefix("100.64.1.5");
       });
     }},
    {"inside may reach what no line says", "P3", true, "inside -> matsumae: 10.80.0.20 -> 10.2.0.9 tcp/22",
     [](Plan& p) { add_row(p, PermissionKind::kInside, "", "matsumae", "10.80.0.20", "10.2.0.9", "tcp/22"); }},
    {"a route from the tunnels to the internet", "P4", false, "matsumae -> outside",
     [](Plan& p) {
       p.routes.push_back({policy::RouteTable::kFromTunnels, prefix("100.64.0.0/10"), "wan0", std::nullopt});
     }},
    {"no prohibit, and no end of a table", "P4", false, "matsumae -> outside",
     [](Plan& p) {
       std::erase_if(p.rules, [](const auto& each) { return each.prohibit; });
       std::erase_if(p.routes, [](const auto& each) { return each.interface.empty(); });
     }},
    {"a row less", "exact", false, "is declared, and does not pass",
     [](Plan& p) {
       std::erase_if(p.permissions, [&](const auto& each) { return each.kind == PermissionKind::kInside; });
     }},
    {"no route into a tunnel", "exact", false, "esashi",
     [](Plan& p) {
       std::erase_if(p.routes, [](const auto& each) { return each.destination == prefix("10.3.0.0/24"); });
     }},
};

struct TableEdit {
  const char* what;
  const char* promise;
  bool passes;  // the packet named, by the walk through the table's elements
  const char* says;
  std::function<void(firewall::RuleSet&)> apply;
};

std::vector<std::string>& rules(firewall::RuleSet& table, std::string_view chain) {
  const auto found = std::ranges::find(table.chains, chain, &firewall::Chain::name);
  if (found == table.chains.end()) FAIL("no chain " << chain);
  return found->rules;
}

std::vector<std::string>& elements(firewall::RuleSet& table, std::string_view set) {
  const auto found = std::ranges::find(table.sets, set, &firewall::Set::name);
  if (found == table.sets.end()) FAIL("no set " << set);
  return found->elements;
}

void replace(std::vector<std::string>& texts, std::string_view from, std::string_view to) {
  std::size_t done = 0;
  for (auto& text : texts)
    if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to), ++done;
  if (done == 0) FAIL("nothing has " << from);
}

// The guard and the routes stay as they were: what opens shows where the guard is gone.
const std::vector<TableEdit> kTableEdits{
    {"an element with another port", "P4", true, "tcp/22 would pass without the guard",
     [](auto& t) { replace(elements(t, "service4"), "tcp . 443", "tcp . 22"); }},
    {"a port more of an exchange", "P4", true, "10.2.0.0 -> 100.64.1.5 tcp/22 would pass without the guard",
     [](auto& t) { elements(t, "exchange4").push_back("0x0a020000 . 100.64.1.5 . tcp . 22 : 0x00000007"); }},
    {"another service that may reach a facility", "P4", true, "inside -> hakodate: 10.80.0.20 -> 100.64.1.5 tcp/443",
     [](auto& t) { elements(t, "inside4").push_back("10.80.0.20 . 100.64.1.5 . tcp . 443 : 0x00000007"); }},
    {"an accept before all rules of forward", "P4", false, "would pass without the guard",
     [](auto& t) { rules(t, "forward").insert(rules(t, "forward").begin(), "accept"); }},
    {"the mark of an exchange for everybody, and its judgement last", "P4", false, "would pass without the guard",
     [](auto& t) {
       rules(t, "mark_exchange4") = {"meta mark set 0x80000000 accept"};
       rules(t, "across4").insert(rules(t, "across4").begin(), "accept");
     }},
    {"a tunnel that may speak to the gateway", "P1", false, "-> the gateway",
     [](auto& t) { rules(t, "input").erase(rules(t, "input").begin()); }},
    {"the gateway that may speak to tunnels", "P3", false, "the gateway -> ",
     [](auto& t) { rules(t, "output_tunnel").insert(rules(t, "output_tunnel").begin() + 2, "accept"); }},
    {"the last rule of a chain first", "exact", false, "is declared, and does not pass",
     [](auto& t) { std::ranges::rotate(rules(t, "to_inside4"), std::prev(rules(t, "to_inside4").end())); }},
    {"no answers", "exact", false, "passes, and its answers do not",
     [](auto& t) {
       std::erase_if(rules(t, "to_tunnel4"), [](const auto& each) { return each.starts_with("ct direction reply"); });
     }},
    {"answers of flows that nobody may open", "exact", false, "does not pass, and answers to it would",
     [](auto& t) {
       std::erase_if(rules(t, "to_inside4"),
                     [](const auto& each) { return each.starts_with("ct direction original"); });
     }},
};

bool table_passes(const firewall::RuleSet& table, const policy::PacketPoint& point, bool from_facility,
                  bool to_facility) {
  using firewall::Side;
  const auto packet = packet_of(point);
  const firewall::FirstPacket first{from_facility ? Side::kTunnels : Side::kInside, packet.source, packet.destination,
                                    packet.protocol, packet.destination_port};
  return firewall::before_routing(table, first).passes &&
         firewall::forwarded(table, first, to_facility ? Side::kTunnels : Side::kInside).passes;
}

}  // namespace

TEST_CASE("proof: the sample is proved, also after its exchange has ended", "[proof]") {
  for (const auto now : {kBefore, at_second(kExchangeEnds)}) {
    const auto proof =
        gateway::core::prove(policy::compile(sample_config(), now).plan, policy::declared(sample_config(), now), now);
    if (!proof) FAIL(proof.error());
    for (const auto& text : gateway::core::breaches_of(*proof)) UNSCOPED_INFO(text);
    CHECK(proof->holds());
    CHECK(proof->facilities == 3);
    CHECK(proof->pairs == 6);
    CHECK(proof->open_pairs == (now == kBefore ? 1 : 0));
  }
  CHECK_FALSE(Proof{}.holds());  // nothing was proved
}

TEST_CASE("proof: every edit of a plan refutes its theorem, by a packet that says so", "[proof]") {
  for (const Edit& edit : kPlanEdits) {
    Plan plan = good_plan();
    edit.apply(plan);
    const auto table = firewall::compile(plan);
    const auto proof = prove(plan, table, guard_of(plan));
    INFO(edit.what);
    if (!proof) FAIL(proof.error());
    for (const auto& text : gateway::core::breaches_of(*proof)) UNSCOPED_INFO(text);
    CHECK_FALSE(proof->holds());
    bool said = false;
    for (const auto& breach : breaches(*proof, edit.promise)) {
      said = said || breach.what.find(edit.says) != std::string::npos;
      REQUIRE(breach.packet);
      if (edit.promise[0] != 'P' || edit.promise[1] == '4') continue;  // what passes with a layer gone, or does not
      CHECK(passes_one_by_one(plan, *breach.packet) == edit.passes);
      if (edit.passes) CHECK_FALSE((breach.line.empty() || breach.rules.empty()));
    }
    CHECK(said);
  }
}

TEST_CASE("proof: every edit of the table refutes a theorem, though the plan is as it was", "[proof]") {
  const Plan plan = good_plan();
  for (const TableEdit& edit : kTableEdits) {
    auto table = firewall::compile(plan);
    edit.apply(table);
    const auto proof = prove(plan, table, guard_of(plan));
    INFO(edit.what);
    if (!proof) FAIL(proof.error());
    for (const auto& text : gateway::core::breaches_of(*proof)) UNSCOPED_INFO(text);
    bool said = false;
    for (const auto& breach : breaches(*proof, edit.promise)) {
      said = said || breach.what.find(edit.says) != std::string::npos;
      REQUIRE(breach.packet);
      const bool to_facility = breach.what.find(" -> hakodate:") != std::string::npos;
      if (edit.passes) CHECK(table_passes(table, *breach.packet, !breach.what.starts_with("inside"), to_facility));
    }
    CHECK(said);
  }
}

TEST_CASE("proof: what one layer alone would open stays closed, also with any other gone", "[proof]") {
  const Plan plan = good_plan();
  auto table = firewall::compile(plan);
  for (const char* set : {"class4", "facility4"}) replace(elements(table, set), "10.3.0.0/24", "10.3.0.0/23");
  elements(table, "exchange4").push_back("0x0a020000 . 100.64.1.6 . tcp . 443 : 0x00000007");  // has no route
  const auto proof = prove(plan, table, guard_of(plan));
  REQUIRE(proof);
  CHECK(proof->holds());
}

TEST_CASE("proof: a guard that is wider than the table shows where nftables are gone", "[proof]") {
  Plan wider = good_plan();
  add_row(wider, PermissionKind::kService, "esashi", "", "10.3.0.0/24", "10.80.0.20", "udp/5000");
  const Plan plan = good_plan();
  const auto proof = prove(plan, firewall::compile(plan), guard_of(wider));
  REQUIRE(proof);
  CHECK(breaches(*proof, "P1").empty());
  REQUIRE(breaches(*proof, "P4").size() == 1);
  CHECK(breaches(*proof, "P4")[0].what.find("would pass without nftables") != std::string::npos);
}

TEST_CASE("proof: the line of the file and the rule of the table stand beside the packet", "[proof]") {
  Plan plan = good_plan();
  add_row(plan, PermissionKind::kExchange, "esashi", "hakodate", "10.3.0.0/24", "100.64.1.5", "tcp/22");
  const auto proof = prove(plan, firewall::compile(plan), guard_of(plan));
  REQUIRE(proof);
  const auto texts = gateway::core::breaches_of(*proof);
  REQUIRE_FALSE(texts.empty());
  CHECK(texts[0].find("P1: esashi -> hakodate: 10.3.0.1 -> 100.64.1.5 tcp/22 passes, and no line declares it") == 0);
  CHECK(texts[0].find("opened by a line (of.json:7:1)") != std::string::npos);
  CHECK(texts[0].find("accepted by chain mark_exchange4, rule ") != std::string::npos);
  CHECK(texts[0].find("accepted by chain admit_across4, rule 2 \"meta mark set 0x80000000 accept\"") !=
        std::string::npos);
}

TEST_CASE("proof: a candidate that is not proved has errors that name packet and line", "[proof]") {
  Plan plan = good_plan();
  CHECK(gateway::core::unproved(plan, sample_config(), kBefore).empty());
  config::Loaded loaded;
  loaded.config = sample_config();
  CHECK(gateway::core::proved_here(gateway::core::judge(loaded, "", kBefore)).errors.empty());
  add_row(plan, PermissionKind::kInside, "", "matsumae", "10.80.0.20", "10.2.0.9", "tcp/22");
  const auto errors = gateway::core::unproved(plan, sample_config(), kBefore);
  REQUIRE_FALSE(errors.empty());
  CHECK(errors[0].find("the plan breaks promise P3: inside -> matsumae: 10.80.0.20 -> 10.2.0.9 tcp/22") == 0);
  CHECK(errors[0].find("opened by a line (of.json:7:1)") != std::string::npos);
  plan.facilities[0].networks.push_back({prefix("10.2.0.128/25"), prefix("10.2.0.128/25")});
  CHECK(gateway::core::unproved(plan, sample_config(), kBefore).at(0).find("cannot be proved") != std::string::npos);
}

TEST_CASE("proof: a candidate of any size is proved; nobody comes to it without saying how that went", "[proof]") {
  config::Loaded loaded;
  loaded.config = sample_config();
  auto& ports = loaded.config.services.front().ports;
  for (std::uint16_t each = 1; each < 60'000; each += 2) ports.push_back({config::value::IpProtocol::kUdp, each, each});
  auto judged = gateway::core::judge(loaded, "", kBefore);
  REQUIRE(judged.candidate().plan.permissions.size() > 100'000);
  REQUIRE(judged.needs_proof());
  CHECK(judged.prove().empty());
  auto refused = judged;
  CHECK(std::move(refused).decided({"the proof was not made"}).errors ==
        std::vector<std::string>{"the proof was not made"});
  CHECK(std::move(judged).decided({}).errors.empty());
  auto again = gateway::core::judge_again(
      sample_config(), std::make_shared<const policy::Plan>(policy::compile(sample_config(), kBefore).plan), "",
      kBefore);
  const auto otherwise = std::move(again).decided({"the proof was not made"});
  CHECK((otherwise.errors.empty() && otherwise.config));  // what runs, and it says why
  CHECK(otherwise.warnings == std::vector<std::string>{"the proof was not made"});
}

// An end date that comes must end what it ends, whatever else has become wrong with the configuration.
TEST_CASE("proof: when an end date comes and the configuration fails, what runs goes on without what has ended",
          "[proof]") {
  auto config = sample_config();
  const auto running = policy::compile(config, kBefore).plan;
  const auto after = tests::at_second(tests::kExchangeEnds + 1);
  config.gateway.ikev2.local_id = "no:such";
  const auto candidate = gateway::core::proved_here(
      gateway::core::judge_again(config, std::make_shared<const policy::Plan>(running), "", after));
  CHECK(candidate.errors.empty());
  CHECK_FALSE(candidate.warnings.empty());
  auto wanted = running;
  std::erase_if(wanted.permissions, [&](const auto& row) { return row.until && *row.until <= after; });
  REQUIRE(wanted.permissions.size() < running.permissions.size());
  CHECK(candidate.plan == wanted);
  CHECK(candidate.keys.size() == gateway::core::key_sources(running, "").size());
}

TEST_CASE("proof: nothing is proved about a rule that is not understood, or a plan that contradicts itself",
          "[proof]") {
  const Plan plan = good_plan();
  auto table = firewall::compile(plan);
  rules(table, "to_inside4").insert(rules(table, "to_inside4").begin(), "ip dscp 46 accept");
  const auto unknown = prove(plan, table, guard_of(plan));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == "chain to_inside4, rule 1 \"ip dscp 46 accept\": \"dscp\" is not understood");
  auto odd = firewall::compile(plan);
  elements(odd, "service4").push_back("0x0a020000 . 10.80.0.10 . tcp : 0x00000007");
  CHECK_FALSE(prove(plan, odd, guard_of(plan)));
  Plan overlapping = good_plan();
  overlapping.facilities[0].networks.push_back({prefix("10.2.0.128/25"), prefix("10.2.0.128/25")});
  const auto refused = gateway::core::prove(overlapping, policy::declared(sample_config(), kBefore), kBefore);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().find("networks overlap") != std::string::npos);
}

TEST_CASE("proof: what is declared is read from the words of the configuration", "[declared]") {
  const auto declared = policy::declared(sample_config(), kBefore);
  const auto has = [](const policy::PacketSet& set, const char* from, const char* to, std::uint8_t protocol,
                      std::uint16_t number) { return set.contains({address(from), address(to), protocol, number}); };
  CHECK(has(declared.packets.between, "10.2.0.7", "100.64.1.5", 6, 104));
  CHECK(has(declared.packets.between, "10.2.0.7", "100.64.1.5", 1, policy::kEchoType4));
  CHECK(has(declared.packets.between, "2001:db8:b::7", "2001:db8:a::5", 58, policy::kEchoType6));
  CHECK_FALSE(has(declared.packets.between, "10.2.0.7", "192.168.1.5", 6, 104));  // seen addresses only
  CHECK_FALSE(has(declared.packets.between, "10.2.0.0", "100.64.1.5", 6, 104));   // no host
  CHECK_FALSE(has(declared.packets.between, "10.2.0.255", "100.64.1.5", 6, 104));
  CHECK(has(declared.by_network.between, "10.2.0.0", "100.64.1.5", 6, 104));
  CHECK_FALSE(has(declared.packets.between, "100.64.1.5", "10.2.0.7", 6, 104));
  CHECK(has(declared.packets.to_inside, "100.64.1.7", "10.80.0.10", 6, 443));
  CHECK_FALSE(has(declared.packets.to_inside, "100.64.1.7", "10.80.0.20", 6, 80));
  CHECK(has(declared.packets.from_inside, "10.80.0.10", "100.64.1.5", 6, 443));
  CHECK(policy::declared(sample_config(), at_second(kExchangeEnds)).packets.between.empty());
}
