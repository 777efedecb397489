// firewall/table_ways.cc: what small tables let pass at each hook and road, and where one lets more pass than another.
#include "firewall/table_ways.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/policy/sample_config.h"

using firewall::RuleSet;
using firewall::Ways;
using policy::PacketSet;
using tests::address;

namespace {

const firewall::Interfaces kInterfaces{"sekisho0", "dc0", "wan0"};
constexpr const char* kIntoDc = "iifname \"sekisho0\" oifname \"dc0\" ip saddr 10.2.0.0/24 accept";

RuleSet table(std::vector<std::string> forward) {
  RuleSet out;
  out.chains = {{"forward", "type filter hook forward priority 0; policy drop;", std::move(forward)}};
  return out;
}

Ways ways_of(const RuleSet& of) {
  auto found = firewall::ways(of, kInterfaces);
  INFO((found ? std::string() : found.error()));
  REQUIRE(found.has_value());
  return *std::move(found);
}

const PacketSet& passing(const Ways& of, const std::string& way) {
  const auto found = std::ranges::find(of.all, way, &firewall::Way::says);
  INFO(way);
  REQUIRE(found != of.all.end());
  return found->packets;
}

policy::PacketPoint packet(const char* from, const char* to) {
  return {address(from), address(to), 6, 443};
}

}  // namespace

TEST_CASE("table ways: a hook without a chain lets everything pass, and no mark comes of itself") {
  const auto open = ways_of({});
  CHECK(open.visited.empty());
  for (const auto& way : open.all) {
    CAPTURE(way.says);
    const bool marked = way.says.starts_with("prerouting") && way.says.ends_with("mark");
    CHECK(way.packets == (marked ? PacketSet() : PacketSet::everything()));
  }
}

TEST_CASE("table ways: two tables have the same ways, each said in its own words") {
  const auto open = ways_of({}), closed = ways_of(table({}));
  REQUIRE(open.all.size() == closed.all.size());
  std::set<std::string> words;
  for (std::size_t i = 0; i < open.all.size(); ++i) {
    CHECK(open.all[i].says == closed.all[i].says);
    words.insert(open.all[i].says);
  }
  CHECK(words.size() == open.all.size());
}

TEST_CASE("table ways: a rule is asked on its own road, and answers along it the other way round") {
  const auto found = ways_of(table({kIntoDc}));
  const auto& there = passing(found, "forward, sekisho0 -> dc0");
  CHECK(there.contains(packet("10.2.0.9", "10.80.0.10")));
  CHECK_FALSE(there.contains(packet("10.3.0.9", "10.80.0.10")));
  CHECK(passing(found, "forward, sekisho0 -> dc0, with the exchange mark") == there);
  const auto& answers = passing(found, "forward, sekisho0 -> dc0, answers");  // of flows that dc0 opened
  CHECK(answers.contains(packet("10.80.0.10", "10.2.0.9")));
  CHECK_FALSE(answers.contains(packet("10.2.0.9", "10.80.0.10")));
  for (const char* closed : {"forward, dc0 -> sekisho0", "forward, sekisho0 -> wan0", "forward, wan0 -> dc0",
                             "forward, sekisho0 -> (another interface)"})
    CHECK(passing(found, closed).empty());
  CHECK(passing(found, "input, sekisho0") == PacketSet::everything());  // no chain of that hook
}

TEST_CASE("table ways: behind prerouting each mark is a way of its own") {
  auto marking = table({});
  marking.chains.push_back({"prerouting",
                            "type filter hook prerouting priority 0; policy accept;",
                            {"iifname \"sekisho0\" ip saddr 10.2.0.0/24 meta mark set 0x80000000"}});
  const auto found = ways_of(marking);
  const auto ours = packet("10.2.0.9", "10.3.0.9"), other = packet("10.3.0.9", "10.2.0.9");
  CHECK(passing(found, "prerouting, sekisho0, with the exchange mark").contains(ours));
  CHECK_FALSE(passing(found, "prerouting, sekisho0, with the exchange mark").contains(other));
  CHECK(passing(found, "prerouting, sekisho0").contains(other));
  CHECK_FALSE(passing(found, "prerouting, sekisho0").contains(ours));
  CHECK(passing(found, "prerouting, sekisho0, with another mark").empty());
  CHECK(passing(found, "prerouting, dc0, with the exchange mark").empty());
}

TEST_CASE("table ways: only chains that packets come to were visited") {
  auto with_jumps = table({"iifname \"sekisho0\" jump ours", "drop", "jump behind"});
  for (const char* name : {"ours", "behind", "nobody"}) with_jumps.chains.push_back({name, "", {"return"}});
  CHECK(ways_of(with_jumps).visited == std::set<std::string>{"forward", "ours"});
}

TEST_CASE("table ways: a rule that is not understood accepts what it can, refuses nothing, and may rewrite nothing") {
  CHECK(passing(ways_of(table({"tcp flags syn accept"})), "forward, wan0 -> dc0") == PacketSet::everything());
  CHECK(passing(ways_of(table({"tcp flags syn drop", kIntoDc})), "forward, sekisho0 -> dc0") ==
        passing(ways_of(table({kIntoDc})), "forward, sekisho0 -> dc0"));
  for (const char* rule : {"ip daddr set 10.3.0.1", "ip saddr vmap { 10.0.0.1 : accept }", "jump nowhere"}) {
    const auto found = firewall::ways(table({rule}), kInterfaces);
    CAPTURE(rule);
    REQUIRE_FALSE(found.has_value());
    CHECK_FALSE(found.error().empty());
  }
}

TEST_CASE("table ways: what is beyond another table is named with its way and a packet, and nothing of less") {
  const auto less = ways_of(table({kIntoDc}));
  const auto more = ways_of(table({kIntoDc, "iifname \"dc0\" oifname \"wan0\" ip daddr 192.0.2.7 accept"}));
  const auto found = firewall::beyond(more, less);
  REQUIRE(found.has_value());
  CHECK(found->way == "forward, dc0 -> wan0");
  CHECK(found->packet.destination == address("192.0.2.7"));
  CHECK_FALSE(firewall::beyond(less, more).has_value());
  CHECK_FALSE(firewall::beyond(more, more).has_value());
}
