// Each edit of the table that opens or closes something is named; those that change nothing are not.
#include "firewall/table_changes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "firewall/compile.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::Chain;
using firewall::RuleSet;
using firewall::TableVerdict;

namespace {

const firewall::Interfaces kInterfaces{"sekisho0", "dc0", "wan0"};

RuleSet wanted() {
  return firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
}

Chain& chain(RuleSet& table, const std::string& name) {
  return *std::ranges::find(table.chains, name, &Chain::name);
}

std::vector<std::string>& elements(RuleSet& table, const std::string& name) {
  return std::ranges::find(table.sets, name, &firewall::Set::name)->elements;
}

void put(RuleSet& table, const std::string& set, const std::string& element) {
  auto& all = elements(table, set);
  all.insert(std::ranges::lower_bound(all, element), element);
}

void insert(RuleSet& table, const std::string& name, std::size_t at, const std::string& rule) {
  auto& rules = chain(table, name).rules;
  rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(at), rule);
}

void erase(RuleSet& table, const std::string& name, const std::string& rule) {
  auto& rules = chain(table, name).rules;
  const auto at = std::ranges::find_if(rules, [&](const auto& each) { return each.find(rule) != std::string::npos; });
  REQUIRE(at != rules.end());
  rules.erase(at);
}

using EditOf = std::function<void(RuleSet&)>;
TableVerdict after(const EditOf& edit) {
  RuleSet found = wanted();
  edit(found);
  return firewall::table_changes(wanted(), found, kInterfaces);
}

struct Case {
  const char* name;
  EditOf edit;
  bool opens, closes;  // neither: named all the same
};

const std::vector<Case> kNamed{
    {"accept on top of forward", [](RuleSet& t) { insert(t, "forward", 0, "accept"); }, true, false},
    {"accept for one address", [](RuleSet& t) { insert(t, "forward", 0, "ip saddr 10.2.0.9 accept"); }, true, false},
    {"accept with a word that is not known", [](RuleSet& t) { insert(t, "forward", 0, "tcp flags syn accept"); }, true,
     false},
    {"policy accept",
     [](RuleSet& t) { chain(t, "forward").hook = "type filter hook forward priority 0; policy accept;"; }, false,
     false},
    {"last refusal of forward gone, and the policy with it",
     [](RuleSet& t) {
       erase(t, "forward", "goto drop_detour");
       chain(t, "forward").hook = "type filter hook forward priority 0; policy accept;";
     },
     true, false},
    {"refusal of detours gone", [](RuleSet& t) { erase(t, "across4", "meta mark != 0x80000000"); }, true, false},
    {"foreign sources let in", [](RuleSet& t) { erase(t, "before_fragments", "iifname \"sekisho0\" ip saddr"); }, true,
     false},
    {"prerouting lets the carrier in", [](RuleSet& t) { erase(t, "prerouting", "goto drop_detour"); }, true, false},
    {"to the gateway", [](RuleSet& t) { erase(t, "input", "goto drop_to_gateway"); }, true, false},
    {"look-up gone", [](RuleSet& t) { erase(t, "to_inside4", "@service4"); }, false, true},
    {"drop on top", [](RuleSet& t) { insert(t, "forward", 0, "ip daddr 10.80.0.10 drop"); }, false, true},
    {"refusal before the look-ups",
     [](RuleSet& t) { std::ranges::rotate(chain(t, "to_inside4").rules, chain(t, "to_inside4").rules.end() - 1); },
     false, true},
    {"chain gone over", [](RuleSet& t) { insert(t, "to_inside4", 0, "goto drop_not_permitted"); }, false, true},
    {"element added", [](RuleSet& t) { put(t, "service4", "0x0a020000 . 10.80.0.99 . tcp . 22 : 0x00000009"); }, true,
     false},
    {"element gone", [](RuleSet& t) { elements(t, "service4").erase(elements(t, "service4").begin()); }, false, true},
    {"network added", [](RuleSet& t) { put(t, "facility4", "10.99.0.0/24"); }, true, true},
    {"host that may be reached", [](RuleSet& t) { put(t, "reach4", "10.80.0.77"); }, true, true},
    {"rule number of an element",
     [](RuleSet& t) {
       auto& all = elements(t, "service4");
       all[0] = all[0].substr(0, all[0].rfind(" : ")) + " : 0x00000001";
       std::ranges::sort(all);
     },
     false, false},
    {"IP options let in", [](RuleSet& t) { erase(t, "from_tunnel", "ip hdrlength"); }, false, false},
    {"fragments unlimited", [](RuleSet& t) { erase(t, "outside_fragments4", "limit rate"); }, false, false},
    {"another rate",
     [](RuleSet& t) {
       for (auto& rule : chain(t, "outside_fragments4").rules)
         if (rule.starts_with("limit")) rule = "limit rate over 50000/second burst 50 packets goto drop_fragment_flood";
     },
     false, false},
    {"ICMP errors from anybody", [](RuleSet& t) { insert(t, "error_inward4", 0, "accept"); }, false, false},
    {"ICMP error's party", [](RuleSet& t) { elements(t, "ends_service").erase(elements(t, "ends_service").begin()); },
     false, false},
    {"not tracked", [](RuleSet& t) { insert(t, "raw_prerouting", 0, "iifname \"sekisho0\" notrack"); }, false, false},
    {"no record of refusals", [](RuleSet& t) { erase(t, "drop_detour", "limit rate"); }, false, false},
    {"no count of refusals", [](RuleSet& t) { erase(t, "drop_detour", "counter"); }, false, false},
    {"drop before the count",
     [](RuleSet& t) { std::ranges::rotate(chain(t, "drop_detour").rules, chain(t, "drop_detour").rules.end() - 1); },
     false, false},
    {"refused without a count", [](RuleSet& t) { insert(t, "drop_detour", 0, "drop"); }, false, false},
    {"no drop at the end", [](RuleSet& t) { erase(t, "drop_detour", "drop"); }, true, false},
    {"chain of a stranger that accepts, and a way to it",
     [](RuleSet& t) {
       t.chains.insert(t.chains.begin(), {"extra", "", {"ip saddr 10.2.0.0/24 accept"}});
       insert(t, "forward", 0, "jump extra");
     },
     true, false},
    {"conntrack zone gone", [](RuleSet& t) { erase(t, "from_tunnel", "ct zone set"); }, false, false},
    {"flow limit gone", [](RuleSet& t) { erase(t, "admit4", "count over"); }, false, false},
    {"set for another time",
     [](RuleSet& t) {
       std::ranges::find(t.sets, "fragments4", &firewall::Set::name)->limits = "size 65535; timeout 1h;";
     },
     false, false},
};

const std::vector<Case> kNothing{
    {"nothing", [](RuleSet&) {}, false, false},
    {"a counter", [](RuleSet& t) { insert(t, "forward", 3, "ip saddr 10.2.0.9 counter"); }, false, false},
    {"a log", [](RuleSet& t) { insert(t, "forward", 0, "log prefix \"x\" group 9"); }, false, false},
    {"a rule twice", [](RuleSet& t) { insert(t, "to_inside4", 2, chain(t, "to_inside4").rules[2]); }, false, false},
    {"refusals in another order",
     [](RuleSet& t) {
       auto& rules = chain(t, "before_fragments").rules;
       std::swap(rules[rules.size() - 1], rules[rules.size() - 2]);
     },
     false, false},
    {"a drop of what is dropped", [](RuleSet& t) { insert(t, "across4", 1, "ip saddr 10.9.9.9 drop"); }, false, false},
    {"an element for nobody's mark",
     [](RuleSet& t) { put(t, "service4", "0x0a636300 . 10.80.0.99 . tcp . 22 : 0x00000009"); }, false, false},
    {"a party of a rule that no flow has", [](RuleSet& t) { put(t, "ends_service", "0x00000123 . 0x00cc81e2"); }, false,
     false},
    {"a chain that nobody goes to", [](RuleSet& t) { t.chains.push_back({"extra", "", {"accept"}}); }, false, false},
    {"a set that nobody asks", [](RuleSet& t) { t.sets.push_back({"mine", "set", "ipv4_addr", "", {"10.0.0.1"}}); },
     false, false},
    {"an empty chain behind routing",
     [](RuleSet& t) { t.chains.push_back({"post", "type filter hook postrouting priority 0; policy accept;", {}}); },
     false, false},
    {"written otherwise",
     [](RuleSet& t) {
       for (auto& rule : chain(t, "across4").rules)
         if (rule == "meta mark set 0") rule = "meta mark set 0x00000000";
       for (auto& rule : chain(t, "prerouting").rules)
         if (rule.starts_with("iifname { ")) rule.replace(0, 26, "iifname { \"dc0\", \"wan0\" } ");
     },
     false, false},
};

}  // namespace

TEST_CASE("table changes: what opens, closes or is beyond packet sets is named, and nothing else") {
  for (const Case& each : kNamed) {
    CAPTURE(each.name);
    const auto verdict = after(each.edit);
    CHECK(verdict.not_understood.empty());
    REQUIRE_FALSE(verdict.changes.empty());
    const bool opens = std::ranges::any_of(verdict.changes, &firewall::TableChange::opens);
    const bool closes = std::ranges::any_of(verdict.changes, &firewall::TableChange::closes);
    for (const auto& change : verdict.changes)
      UNSCOPED_INFO(change.edit.object << " " << change.edit.text << ": " << change.says);
    CHECK(opens == each.opens);
    CHECK(closes == each.closes);
    for (const auto& change : verdict.changes) CHECK_FALSE(change.says.empty());
  }
}

TEST_CASE("table changes: what makes no difference is not named") {
  for (const Case& each : kNothing) {
    CAPTURE(each.name);
    const auto verdict = after(each.edit);
    for (const auto& change : verdict.changes)
      UNSCOPED_INFO(change.edit.object << " " << change.edit.text << ": " << change.says);
    CHECK(verdict.changes.empty());
    CHECK(verdict.not_understood.empty());
  }
}

TEST_CASE("table changes: of several edits the one that opens is named, and not its neighbours") {
  const auto verdict = after([](RuleSet& t) {
    insert(t, "forward", 0, "counter");
    insert(t, "input", 0, "ip saddr 203.0.113.200 drop");
    insert(t, "to_inside4", 0, "ip saddr 10.2.0.9 accept");
    put(t, "service4", "0x0a636300 . 10.80.0.99 . tcp . 22 : 0x00000009");
  });
  REQUIRE(verdict.changes.size() == 2);
  const auto of = [&](const char* chain) {
    return *std::ranges::find_if(verdict.changes, [&](const auto& each) { return each.edit.object == chain; });
  };
  CHECK(of("input").closes);
  CHECK_FALSE(of("input").opens);
  CHECK(of("to_inside4").opens);
  CHECK_FALSE(of("to_inside4").closes);
  REQUIRE(of("to_inside4").packet);
  CHECK(of("to_inside4").packet->source.to_string() == "10.2.0.9");
}

TEST_CASE("table changes: a rule that may change what it does not say stops the reading, and is named") {
  for (const char* rule :
       {"ip daddr set 10.3.0.1", "meta mark set 0x80000000 accept", "ip saddr vmap { 10.0.0.1 : accept }"}) {
    CAPTURE(rule);
    const auto verdict = after([rule](RuleSet& t) { insert(t, "forward", 0, rule); });
    REQUIRE_FALSE(verdict.changes.empty());
    CHECK(verdict.changes[0].edit.text == rule);
  }
}

TEST_CASE("table changes: an opening behind thousands of rules that only count is named, and they are not") {
  const auto before_ours = after([](RuleSet& t) {
    auto& rules = chain(t, "forward").rules;
    rules.insert(rules.begin(), "accept");
    rules.insert(rules.begin(), 2500, "counter");
  });
  REQUIRE(before_ours.changes.size() == 1);
  CHECK((before_ours.changes[0].edit.text == "accept" && before_ours.changes[0].opens));
  CHECK(before_ours.changes[0].edit.found_at == 2500);
  RuleSet ours = wanted();
  erase(ours, "forward", "goto drop_detour");  // the policy alone refuses: what is put at the end decides
  RuleSet found = ours;
  auto& rules = chain(found, "forward").rules;
  rules.insert(rules.end(), 2500, "counter");
  rules.emplace_back("accept");
  const auto behind_ours = firewall::table_changes(ours, found, kInterfaces);
  REQUIRE(behind_ours.changes.size() == 1);
  CHECK((behind_ours.changes[0].edit.text == "accept" && behind_ours.changes[0].opens));
  rules.erase(rules.begin());
  rules.insert(rules.begin(), 2500, "counter");  // neither the begin nor the end is the same
  const auto around_ours = firewall::table_changes(ours, found, kInterfaces);
  CHECK(std::ranges::any_of(around_ours.changes,
                            [](const auto& each) { return each.edit.text == "accept" && each.opens; }));
}

TEST_CASE("table changes: of more than can be told the rest is counted, each once") {
  const auto verdict = after([](RuleSet& t) {
    for (int i = 0; i < 150; ++i) insert(t, "drop_detour", 0, "meta mark " + std::to_string(1000 + i) + " drop");
    insert(t, "forward", 0, "accept");
  });
  CHECK(verdict.changes.size() == firewall::kMostChanges);
  CHECK(verdict.changes.size() + verdict.left_out == 151);
}

TEST_CASE("table changes: thousands of elements that differ are judged in one go") {
  const auto verdict = after([](RuleSet& t) {
    for (const char* set : {"service4", "ends_service"}) {
      auto& all = elements(t, set);
      for (int i = 0; i < 20'000; ++i)
        all.push_back(std::string(set) == "service4" ? "0x0a020000 . 10.81." + std::to_string(i / 256) + "." +
                                                           std::to_string(i % 256) + " . tcp . 22 : 0x00000009"
                                                     : std::to_string(i) + " . 0x00cc81e2");  // of no flow's rule
      std::ranges::sort(all);
    }
  });
  CHECK(verdict.changes.size() == firewall::kMostChanges);
  CHECK(verdict.left_out == 20'000 - firewall::kMostChanges);
  CHECK(std::ranges::all_of(verdict.changes, &firewall::TableChange::opens));
}

TEST_CASE("table changes: whose site an address is counts where a facility has it, and nowhere else") {
  CHECK(after([](RuleSet& t) { put(t, "site4", "192.0.2.0/24 : 0x00cc81e2"); }).changes.empty());
  CHECK(after([](RuleSet& t) { put(t, "site4", "10.2.0.128/25 : 0x00cc81e2"); }).changes.size() == 1);
  CHECK(after([](RuleSet& t) { put(t, "site4", "0.0.0.0-255.0.0.0 : 0x00cc81e2"); }).changes.size() == 1);  // not read
}
