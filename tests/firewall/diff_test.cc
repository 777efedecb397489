// Differences, applied to a table in memory: they lead to what is wanted, touch no more than needed, and never do what
// nftables would refuse.
#include "firewall/diff.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "firewall/compile.h"
#include "firewall/render.h"
#include "policy/compile.h"
#include "tests/firewall/fake_table.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::Operation;
using firewall::RuleSet;

namespace {

RuleSet sample(std::int64_t now = 1) {
  return firewall::compile(policy::compile(sample_config(), at_second(now)).plan);
}

// A random configuration of the same shape: some facilities, services and exchanges come and go.
config::GatewayConfig random_config(std::mt19937& random) {
  auto config = sample_config();
  const auto flip = [&] { return random() % 2 == 0; };
  if (flip()) config.exchanges.clear();
  if (flip()) config.inside_may_reach.clear();
  if (flip()) config.facilities.erase(config.facilities.begin());
  if (flip()) config.services[1].ports.push_back(port("udp/5005-6000"));  // overlaps 5000-5010
  if (flip()) config.services[0].addresses.push_back(address("10.80.0.11"));
  if (flip()) config.gateway.wireguard.port = 51821;
  if (flip()) config.gateway.inside.interface = "dc1";
  return config;
}

RuleSet random_rule_set(std::mt19937& random) {
  if (random() % 8 == 0) return firewall::closed_rule_set("wan0");
  return firewall::compile(policy::compile(random_config(random), at_second(1)).plan);
}

bool only_elements(const firewall::Transaction& transaction) {
  return std::all_of(transaction.commands.begin(), transaction.commands.end(), [](const auto& command) {
    return command.operation == Operation::kAddElements || command.operation == Operation::kDeleteElements;
  });
}

}  // namespace

TEST_CASE("diff: equal rule sets need nothing") {
  CHECK(firewall::diff(sample(), sample()).empty());
  CHECK(firewall::render(firewall::diff(sample(), sample())).empty());
}

TEST_CASE("diff: from empty it is the whole installation") {
  FakeTable table;
  CHECK(table.apply(firewall::diff({}, sample())) == std::nullopt);
  CHECK(table.holds(sample()));
}

TEST_CASE("diff: an exchange that ends takes elements away and touches no chain") {
  const auto transaction = firewall::diff(sample(), sample(kExchangeEnds));
  CHECK_FALSE(transaction.empty());
  CHECK(only_elements(transaction));
  for (const auto& command : transaction.commands) CHECK(command.operation == Operation::kDeleteElements);
}

TEST_CASE("diff: another port of the tunnels rewrites the chains that name it, and no set") {
  auto config = sample_config();
  config.gateway.wireguard.port = 4500;
  const RuleSet wanted = firewall::compile(policy::compile(config, at_second(1)).plan);
  std::vector<std::string> touched;
  for (const auto& command : firewall::diff(sample(), wanted).commands) {
    CHECK((command.operation == Operation::kFlushChain || command.operation == Operation::kAddRules));
    if (command.operation == Operation::kAddRules) touched.push_back(command.name);
  }
  CHECK(touched == std::vector<std::string>{"input_outside", "raw_prerouting", "raw_output"});
}

TEST_CASE("diff: a set of another form is made anew, its chains with it") {
  RuleSet old = sample();
  auto& set = *std::find_if(old.sets.begin(), old.sets.end(), [](const auto& s) { return s.name == "service4"; });
  set.flags = "interval";
  FakeTable table;
  REQUIRE(table.apply(firewall::diff({}, old)) == std::nullopt);
  CHECK(table.apply(firewall::diff(old, sample())) == std::nullopt);
  CHECK(table.holds(sample()));
}

TEST_CASE("model: any rule set becomes any other, and back") {
  std::mt19937 random(20240607);
  RuleSet installed;
  FakeTable table;
  for (int i = 0; i < 300; ++i) {
    const RuleSet wanted = random_rule_set(random);
    const auto transaction = firewall::diff(installed, wanted);
    CHECK(transaction.empty() == (installed == wanted));
    REQUIRE(table.apply(transaction) == std::nullopt);
    REQUIRE(table.holds(wanted));
    installed = wanted;
  }
}

TEST_CASE("replace: whatever is listed goes, what is wanted comes") {
  const RuleSet old = firewall::closed_rule_set("wan0");
  FakeTable table;
  REQUIRE(table.apply(firewall::diff({}, old)) == std::nullopt);
  firewall::Listing listing;
  for (const auto& chain : old.chains) listing.chains.push_back({chain.name, "", "", chain.rules.size()});
  for (const auto& set : old.sets) listing.sets.push_back({set.name, set.kind, set.elements});
  for (const auto& name : old.counters) listing.counters.push_back({name, 7, 700});
  const auto transaction = firewall::replace(listing, sample());
  CHECK(table.apply(transaction) == std::nullopt);
  CHECK(table.holds(sample()));
  for (const auto& command : transaction.commands)  // the totals of before are kept
    CHECK((command.operation != Operation::kDeleteCounter && command.operation != Operation::kAddCounter));
}

TEST_CASE("fake table: it refuses what nftables refuses") {
  FakeTable table;
  REQUIRE(table.apply(firewall::diff({}, sample())) == std::nullopt);
  const auto refused = [&](firewall::Command command) {
    return table.apply(firewall::Transaction{{std::move(command)}}).has_value() && table.holds(sample());
  };
  CHECK(refused({Operation::kDeleteSet, "service4", "map", {}, {}}));
  CHECK(refused({Operation::kDeleteChain, "drop_detour", "", {}, {}}));
  CHECK(refused({Operation::kDeleteCounter, "detour", "", {}, {}}));
  CHECK(refused({Operation::kAddElements, "facility4", "", {"10.2.0.0/24"}, {}}));
  CHECK(refused({Operation::kDeleteElements, "facility4", "", {"10.9.0.0/24"}, {}}));
}
