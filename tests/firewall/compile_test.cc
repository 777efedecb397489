// What must be in the table, and what must never be. Packets through a real kernel: packets.sh.
#include "firewall/compile.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>

#include "firewall/elements.h"
#include "firewall/reasons.h"
#include "firewall/render.h"
#include "policy/compile.h"
#include "policy/isolation.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::RuleSet;

namespace {

RuleSet compiled(const config::GatewayConfig& config) {
  return firewall::compile(policy::compile(config, at_second(1)).plan);
}

const std::vector<std::string>& elements(const RuleSet& rules, const std::string& set) {
  for (const auto& each : rules.sets)
    if (each.name == set) return each.elements;
  FAIL("no set " << set);
  return rules.sets.front().elements;
}

const firewall::Chain& chain(const RuleSet& rules, const std::string& name) {
  for (const auto& each : rules.chains)
    if (each.name == name) return each;
  FAIL("no chain " << name);
  return rules.chains.front();
}

bool mentions(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("compile: forward drops by policy and ends in a counted drop; no established accept for inner flows") {
  for (const RuleSet& rules : {compiled(sample_config()), firewall::closed_rule_set("wan0")}) {
    const auto& forward = chain(rules, "forward");
    CHECK(forward.hook.find("policy drop") != std::string::npos);
    CHECK(forward.rules.back().starts_with("goto drop_"));
    for (const auto& each : rules.chains)
      if (each.name != "input_outside" && each.name != "closed_outside")
        CHECK_FALSE(mentions(each.rules, "established"));
  }
}

// conntrack joins fragments at -400 (nf_conntrack_defrag), whatever interface they came by.
TEST_CASE("compile: what may not enter is dropped before the kernel joins fragments") {
  const RuleSet rules = compiled(sample_config());
  const auto& early = chain(rules, "before_fragments");
  CHECK(early.hook.find("prerouting priority -450") != std::string::npos);
  CHECK(mentions(early.rules, "fib daddr type != { local, broadcast, multicast, anycast } goto drop_detour"));
  for (const char* rule :
       {"ip saddr @facility4 goto drop_foreign_source", "ip6 saddr @facility6 goto drop_foreign_source",
        "ip saddr != @facility4 goto drop_foreign_source", "ip6 saddr != @facility6 goto drop_foreign_source"})
    CHECK(mentions(early.rules, rule));
}

TEST_CASE("compile: outer sources of facilities become intervals that do not overlap") {
  auto plan = policy::compile(sample_config(), at_second(1)).plan;
  plan.facilities[0].sources = {prefix("198.51.100.0/24"), prefix("2001:db8:1::/48")};
  plan.facilities[1].sources = {prefix("198.51.100.7/32"), prefix("198.51.101.0/24"), prefix("2001:db8:1:2::/64")};
  const auto rules = firewall::compile(plan);
  CHECK(elements(rules, "source4") == std::vector<std::string>{"198.51.100.0/24", "198.51.101.0/24"});
  CHECK(elements(rules, "source6") == std::vector<std::string>{"2001:db8:1::/48"});
}

TEST_CASE("compile: every way in which a facility opens a flow counts it") {
  const RuleSet rules = compiled(sample_config());
  for (const std::string version : {"4", "6"}) {
    for (const std::string name : {"admit", "admit_across"})
      CHECK(chain(rules, name + version)
                .rules.front()
                .find("add @flows { meta mark ct count over 16384 } goto drop_flow_limit") != std::string::npos);
    for (const std::string name : {"to_inside", "across"})
      for (const auto& rule : chain(rules, name + version).rules)
        if (rule.starts_with("ct direction original")) CHECK(rule.find(" goto admit") != std::string::npos);
  }
}

TEST_CASE("compile: fragments from outside have limits of their own before they are joined") {
  const RuleSet rules = compiled(sample_config());
  const auto& early = chain(rules, "before_fragments");
  for (const char version : {'4', '6'}) {
    CHECK(mentions(early.rules, std::string("goto outside_fragments") + version));
    CHECK(chain(rules, std::string("outside_fragments") + version).rules.back().starts_with("limit rate over "));
    CHECK(chain(rules, std::string("peer_fragments") + version).rules.back().starts_with("limit rate over "));
  }
}

TEST_CASE("compile: sekisho0 is closed towards the gateway before anything else is asked") {
  for (const RuleSet& rules : {compiled(sample_config()), firewall::closed_rule_set("wan0")})
    CHECK(chain(rules, "input").rules.front() == "iifname \"sekisho0\" goto drop_to_gateway");
}

TEST_CASE("compile: the closed table lets nothing through") {
  for (const RuleSet& closed : {firewall::closed_rule_set("wan0"), firewall::closed_rule_set("")}) {
    CHECK(closed.sets.empty());
    for (const auto& each : closed.chains)
      if (each.name != "closed_outside") CHECK_FALSE(mentions(each.rules, "accept"));
  }
}

TEST_CASE("compile: the closed table lets from outside only what keeps IP working and answers") {
  const RuleSet closed = firewall::closed_rule_set("wan0");
  CHECK(chain(closed, "input").rules.back() == "iifname \"wan0\" goto closed_outside");
  const auto& outside = chain(closed, "closed_outside").rules;
  CHECK(outside.back() == "goto drop_outside_input");
  for (const auto& rule : outside)
    if (rule.ends_with("accept")) CHECK((rule.starts_with("ct state ") || rule.starts_with("icmpv6 type ")));
  CHECK_FALSE(mentions(outside, "echo"));
  CHECK_FALSE(mentions(outside, "udp"));
}

TEST_CASE("compile: every reason has its counter and chain, every drop its reason") {
  const RuleSet rules = compiled(sample_config());
  for (const auto& reason : firewall::kRefusalReasons) {
    const auto& drop = chain(rules, "drop_" + std::string(reason.name));
    CHECK(drop.rules.front() == "counter name \"" + std::string(reason.name) + "\"");
    CHECK(drop.rules.back() == "drop");
  }
  for (const auto& each : rules.chains)
    if (!each.name.starts_with("drop_"))
      for (const auto& rule : each.rules) CHECK_FALSE((" " + rule).ends_with(" drop"));
}

TEST_CASE("compile: a chain's targets stand before it") {
  for (const RuleSet& rules : {compiled(sample_config()), firewall::closed_rule_set("wan0")}) {
    std::vector<std::string> seen;
    for (const auto& each : rules.chains) {
      for (const auto& rule : each.rules)
        for (const std::string verb : {"goto ", "jump "})
          if (const auto at = rule.find(verb); at != std::string::npos)
            CHECK(std::find(seen.begin(), seen.end(), rule.substr(at + 5)) != seen.end());
      seen.push_back(each.name);
    }
  }
}

TEST_CASE("compile: a translated facility is in the table as it is seen") {
  const RuleSet rules = compiled(sample_config());
  CHECK(mentions(elements(rules, "facility4"), "100.64.1.0/24"));
  for (const auto& set : rules.sets) CHECK_FALSE(mentions(set.elements, "192.168.1."));
}

TEST_CASE("compile: overlapping port ranges of two rows become intervals that do not overlap and lose no port") {
  auto config = sample_config();
  config.services[1].ports = {port("udp/100-200"), port("udp/150-300"), port("udp/160-170"), port("udp/301-302")};
  std::vector<std::pair<int, int>> found;
  const RuleSet rules = compiled(config);
  for (const auto& element : elements(rules, "service_range4")) {
    const auto at = element.find("udp . ") + 6;
    const auto dash = element.find('-', at);
    found.emplace_back(std::stoi(element.substr(at)), std::stoi(element.substr(dash + 1)));
  }
  std::sort(found.begin(), found.end());
  CHECK(found == std::vector<std::pair<int, int>>{{100, 200}, {201, 300}, {301, 302}});
}

TEST_CASE("compile: a row whose source is no facility network opens nothing") {
  auto plan = policy::compile(sample_config(), at_second(1)).plan;
  const auto whole = firewall::compile(plan);
  for (auto& row : plan.permissions)
    if (row.kind == policy::PermissionKind::kService) row.source = prefix("0.0.0.0/0");
  const auto broken = firewall::compile(plan);
  CHECK_FALSE(elements(whole, "service4").empty());
  CHECK(elements(broken, "service4").empty());
  CHECK_FALSE(elements(whole, "ends_service").empty());
  CHECK(elements(broken, "ends_service").empty());
}

TEST_CASE("compile: a rule names its own facilities as the parties of errors, and no other") {
  const auto plan = policy::compile(sample_config(), at_second(1)).plan;
  const RuleSet rules = firewall::compile(plan);
  // element "10.2.0.0/24 : 0x..." of site4 -> the number
  const auto site = [&](const std::string& network) {
    for (const auto& element : elements(rules, "site4"))
      if (element.starts_with(network + " : ")) return element.substr(element.find("0x"));
    FAIL("no site of " << network);
    return std::string();
  };
  const auto parties = [&](const std::string& set, const std::string& number) {
    const auto& all = elements(rules, set);
    return std::count_if(all.begin(), all.end(), [&](const auto& each) { return each.ends_with(" . " + number); });
  };
  const auto matsumae = site("10.2.0.0/24"), hakodate = site("100.64.1.0/24"), esashi = site("10.3.0.0/24");
  CHECK(matsumae != hakodate);
  CHECK(parties("opens_exchange", matsumae) > 0);
  CHECK(parties("opens_exchange", hakodate) == 0);
  CHECK(parties("answers_exchange", hakodate) > 0);
  CHECK(parties("answers_exchange", matsumae) == 0);
  CHECK(parties("ends_inside", hakodate) > 0);
  CHECK(parties("ends_inside", matsumae) == 0);
  for (const char* set : {"opens_exchange", "answers_exchange", "ends_inside"}) CHECK(parties(set, esashi) == 0);
  std::size_t total = 0;
  for (const char* set : {"ends_service", "ends_inside", "opens_exchange"}) total += elements(rules, set).size();
  CHECK(total == plan.permissions.size());
}

TEST_CASE("compile: no error about a flow passes without asking who sent it") {
  const RuleSet rules = compiled(sample_config());
  for (const auto& each : rules.chains) {
    for (const auto& rule : each.rules) {
      const bool about_flows = rule.find("ct state related") != std::string::npos && each.name != "output_tunnel";
      if (about_flows)
        CHECK((rule.find("goto error_") != std::string::npos || rule.find("jump error_") != std::string::npos));
    }
    if (each.name.starts_with("error_"))
      for (const auto& rule : each.rules)
        if (rule.ends_with("accept")) CHECK(rule.find("ct mark . meta mark @") != std::string::npos);
  }
}

TEST_CASE("compile: an interface name can never be more than a name in the text of a rule") {
  auto plan = policy::compile(tests::sample_config(), tests::at_second(1)).plan;
  plan.outside_interface = "x\" accept\nflush ruleset\nadd table ip \"y";
  const auto text =
      firewall::render(firewall::compile(plan)) + firewall::render(firewall::closed_rule_set(plan.outside_interface));
  CHECK(text.find("\nflush") == std::string::npos);
  CHECK(text.find("x\" accept") == std::string::npos);
  CHECK(text.find("\"x??accept?flush?ruleset?add?table?ip??y\"") != std::string::npos);
}

TEST_CASE("compile: classes are unique, and 0.0.0.0/8-like networks get one that is not 'none'") {
  auto config = sample_config();
  config.facilities[0].networks = {network("0.0.0.0/24"), network("0.0.1.0/24")};
  const RuleSet rules = compiled(config);
  std::vector<std::string> classes;
  for (const auto& element : elements(rules, "class4")) classes.push_back(element.substr(element.find(" : ")));
  std::sort(classes.begin(), classes.end());
  CHECK(std::adjacent_find(classes.begin(), classes.end()) == classes.end());
  CHECK_FALSE(mentions(classes, "0x00000000"));
}

TEST_CASE("compile: without the elements of one party the sets are those of the plan that isolates it") {
  auto config = sample_config();
  for (int i = 0; i < 40; ++i)
    config.facilities.push_back(
        facility("z" + std::to_string(100 + i), {network("10.9." + std::to_string(i) + ".0/24")}, {"karte", "yoyaku"}));
  const auto plan = policy::compile(config, at_second(1)).plan;
  const auto whole = firewall::compile(plan);
  for (const auto& facility : plan.facilities) {
    CAPTURE(facility.name.text);
    policy::Plan marks;
    marks.facilities = {facility};
    marks.facilities[0].isolated = true;
    const auto cut = firewall::compile(policy::isolate_as(plan, marks));
    std::size_t gone = 0;
    for (const auto& set : firewall::elements_of_parties(plan, {facility.name})) {
      CHECK_FALSE(set.name.starts_with("reach"));
      std::vector<std::string> left;
      std::ranges::set_difference(elements(whole, set.name), set.elements, std::back_inserter(left));
      CHECK(left == elements(cut, set.name));
      gone += set.elements.size();
    }
    CHECK(gone > 0);
  }
  CHECK(firewall::elements_of_parties(plan, {{"nobody"}}).size() > 0);
  for (const auto& set : firewall::elements_of_parties(plan, {{"nobody"}})) CHECK(set.elements.empty());
}
