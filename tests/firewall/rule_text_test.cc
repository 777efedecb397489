// What the proof knows of a rule's words. What it does not know must stop it, never be passed over.
#include "firewall/rule_text.h"

#include <catch2/catch.hpp>
#include <set>

#include "firewall/compile.h"
#include "firewall/element_sets.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::Field;
using firewall::read_rule;
using firewall::Road;
using firewall::Step;
using policy::Family;
using policy::PacketSet;
using Kind = Step::Kind;

namespace {

const Road kOut{"sekisho0", "dc0", false, false};  // what a facility opens
const Road kBack{"dc0", "sekisho0", false, true};  // the answers to it
const Road kToUs{"sekisho0", "dc0", true, false};

std::vector<std::string> words_of(const std::string& rule) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= rule.size();) {
    const auto space = std::min(rule.find(' ', at), rule.size());
    words.push_back(rule.substr(at, space - at));
    at = space + 1;
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string rule;
  for (const auto& word : words) rule += (rule.empty() ? "" : " ") + word;
  return rule;
}

bool never(const std::vector<Step>& steps) {
  return std::ranges::any_of(steps, [](const Step& step) { return step.kind == Kind::kNever; });
}

// Names and numbers are a rule's own; these words are the language.
const std::set<std::string> kLanguage{"iifname", "oifname", "meta",    "ip",      "ip6",   "saddr",    "daddr",
                                      "tcp",     "udp",     "th",      "dport",   "sport", "icmp",     "icmpv6",
                                      "type",    "ct",      "state",   "mark",    "map",   "accept",   "drop",
                                      "jump",    "goto",    "nfproto", "l4proto", "fib",   "direction"};

}  // namespace

TEST_CASE("rule text: every rule of a whole table is understood, on each road") {
  const auto table = firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
  for (const auto& chain : table.chains)
    for (const auto& rule : chain.rules)
      for (const Road& road : {kOut, kBack, kToUs}) {
        INFO(chain.name << ": " << rule);
        const bool before_routing = rule.find("oifname") == std::string::npos;
        CHECK((read_rule(rule, road).has_value() || !before_routing || rule.find("port") != std::string::npos));
      }
}

TEST_CASE("rule text: a word of the language that is another stops the reading, wherever it stands") {
  const auto table = firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
  std::size_t changed = 0;
  for (const auto& chain : table.chains)
    for (const auto& rule : chain.rules) {
      const auto words = words_of(rule);
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (!kLanguage.contains(words[i])) continue;
        const auto whole = read_rule(rule, kOut);
        if (!whole || never(*whole)) continue;  // what comes behind is not read
        auto other = words;
        other[i] = "nonsense";
        INFO(joined(other));
        CHECK_FALSE(read_rule(joined(other), kOut));
        ++changed;
      }
    }
  CHECK(changed > 200);
}

TEST_CASE("rule text: what a rule asks for") {
  const auto one = [](const std::string& rule, const Road& road = kOut) {
    return read_rule(rule, road).value().front();
  };
  CHECK(one("iifname \"sekisho0\" accept").kind == Kind::kVerdict);  // it is so, and says nothing of the packet
  CHECK(one("iifname \"wan0\" accept").kind == Kind::kNever);
  CHECK(one("iifname != \"wan0\" accept").kind == Kind::kVerdict);
  CHECK(one("oifname { \"wan0\", \"dc0\" } drop").kind == Kind::kVerdict);
  const auto saddr = one("ip saddr 10.1.0.0/24 drop");
  CHECK(saddr.packets == (PacketSet::from({policy::range_of(prefix("10.1.0.0/24"))}) & PacketSet::all(Family::kV4)));
  // An answer's source is the flow's destination.
  CHECK(one("ip saddr 10.1.0.0/24 drop", kBack).packets ==
        (PacketSet::to({policy::range_of(prefix("10.1.0.0/24"))}) & PacketSet::all(Family::kV4)));
  CHECK(one("ip saddr != 10.1.0.0/24 drop").packets == PacketSet::all(Family::kV4) - saddr.packets);
  const auto held = one("ip6 daddr @own6 drop");
  CHECK((held.kind == Kind::kElements && held.name == "own6" && held.key == std::vector{Field::kDestination}));
  CHECK(one("ct state { new } accept").kind == Kind::kVerdict);
  CHECK(one("ct state new accept", kBack).kind == Kind::kNever);
  CHECK(one("meta mark 0x80000000 accept").number == 0x80000000);
  CHECK(one("meta mark != 7 accept").inverted);
  CHECK(one("fib daddr type local accept").packets.empty());
  CHECK_FALSE(one("fib daddr type local accept", kToUs).packets.empty());
  CHECK_FALSE(read_rule("oifname \"dc0\" accept", {"sekisho0", "", false, false}));  // before routing there is none
  CHECK_FALSE(read_rule("tcp sport 443 accept", kOut));
  CHECK_FALSE(read_rule("ip saddr 10.1.0.0/33 drop", kOut));
  CHECK_FALSE(read_rule("tcp dport 65536 accept", kOut));
  CHECK_FALSE(read_rule("meta mark 0xg accept", kOut));
}

TEST_CASE("element sets: an element that is not of its set's type, and a set that is not there, are errors") {
  firewall::RuleSet table;
  firewall::Set known;
  known.name = "own4";
  known.elements = {"10.1.0.0/24", "10.2.0.5-10.2.0.9"};
  table.sets = {known};
  firewall::ElementSets good(table);
  const auto held = good.holding("own4", Field::kSource);
  REQUIRE(held);
  CHECK(held->contains({address("10.2.0.7"), address("10.80.0.10"), 6, 443}));
  CHECK_FALSE(held->contains({address("10.2.0.10"), address("10.80.0.10"), 6, 443}));
  CHECK_FALSE(good.holding("own5", Field::kSource));
  for (const char* odd : {"10.1.0.0/33", "10.1.0.5-", "x", ""}) {
    INFO(odd);
    table.sets[0].elements.back() = odd;
    CHECK_FALSE(firewall::ElementSets(table).holding("own4", Field::kSource));
  }
  table.sets[0].elements = {"10.1.0.0/24 . tcp . 443 : accept"};
  const std::vector key{Field::kSource, Field::kProtocol, Field::kPort};
  const auto matched = firewall::ElementSets(table).matching("own4", key, {});
  REQUIRE(matched);
  CHECK(matched->contains({address("10.1.0.7"), address("10.80.0.10"), 6, 443}));
  CHECK_FALSE(matched->contains({address("10.1.0.7"), address("10.80.0.10"), 6, 444}));
  for (const char* odd : {"10.1.0.0/24 . tcp : accept", "10.1.0.0/24 . tcp . 443 . 1 : accept",
                          "10.1.0.0/24 . tcp . 65536 : accept", "10.1.0.0/24 . nonsense . 443 : accept"}) {
    INFO(odd);
    table.sets[0].elements = {odd};
    CHECK_FALSE(firewall::ElementSets(table).matching("own4", key, {}));
  }
}
