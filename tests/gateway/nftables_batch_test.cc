// Elements told to nf_tables in octets: libnftables lists what we wrote, we read what libnftables wrote, and a batch of
// which one message is refused changes nothing.
#include "gateway/os/nftables_batch.h"

#include <nftables/libnftables.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "firewall/compile.h"
#include "firewall/listing.h"
#include "firewall/render.h"
#include "firewall/stages.h"
#include "gateway/daemon/netd_listing.h"
#include "gateway/os/nftables_query.h"
#include "gateway/os/nftables_table.h"
#include "policy/compile.h"
#include "tests/gateway/network_namespace.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using firewall::ElementChange;
using firewall::RuleSet;
using os::NftablesTable;

RuleSet sample_rules() {
  return firewall::compile(policy::compile(::tests::sample_config(), ::tests::at_second(1)).plan);
}

RuleSet without_elements(RuleSet rules) {
  for (auto& set : rules.sets) set.elements.clear();
  return rules;
}

std::vector<ElementChange> all_elements(const RuleSet& rules) {
  std::vector<ElementChange> out;
  for (const auto& set : rules.sets)
    if (!set.is_dynamic()) out.push_back(*firewall::element_change(set, {}));
  return out;
}

// By libnftables, which shares no line with us.
std::vector<std::string> differences_to_what_nft_lists(const RuleSet& wanted) {
  const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> nft(nft_ctx_new(NFT_CTX_DEFAULT), &nft_ctx_free);
  nft_ctx_buffer_output(nft.get());
  nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_JSON);
  REQUIRE(nft_run_cmd_from_buffer(nft.get(), "list table inet sekisho") == 0);
  const auto listing = firewall::read_listing(nft_ctx_get_output_buffer(nft.get()));
  REQUIRE(listing.has_value());
  return firewall::differences(wanted, *listing);
}

NftablesTable table_with(const RuleSet& rules) {
  auto table = NftablesTable::open();
  REQUIRE(table.has_value());
  REQUIRE(table->claim().has_value());
  REQUIRE(table->run(firewall::render(rules)).has_value());
  return *std::move(table);
}

TEST_CASE("nftables batch: libnftables lists just what was written, and nothing when it is gone again", "[fw]") {
  const NetworkNamespace space;
  const auto rules = sample_rules();
  auto table = table_with(without_elements(rules));
  auto changes = all_elements(rules);
  REQUIRE(table.change_elements(changes).has_value());
  CHECK(differences_to_what_nft_lists(rules) == std::vector<std::string>{});
  CHECK(*daemon::listed_differences(table, rules) == std::vector<std::string>{});
  for (auto& change : changes) std::swap(change.added, change.gone);
  REQUIRE(table.change_elements(changes).has_value());
  CHECK(differences_to_what_nft_lists(without_elements(rules)) == std::vector<std::string>{});
}

TEST_CASE("nftables batch: what libnftables wrote is read as what it is", "[fw]") {
  const NetworkNamespace space;
  const auto rules = sample_rules();
  auto table = table_with(rules);
  CHECK(*daemon::listed_differences(table, rules) == std::vector<std::string>{});
  auto other = rules;
  other.chains.front().rules.pop_back();
  std::ranges::find(other.sets, "reach4", &firewall::Set::name)->flags = "interval";
  const auto wrong = *daemon::listed_differences(table, other);
  CHECK(wrong.size() == 2);
}

TEST_CASE("nftables batch: all or nothing", "[fw]") {
  const NetworkNamespace space;
  const auto rules = sample_rules();
  auto table = table_with(rules);
  const auto wanted_gone = [](const char* set, const char* octets) {
    return ElementChange{set, {{std::string(octets, 4), "", "", false}}, {}};
  };
  const ElementChange added{"reach4", {}, {{std::string("\x0a\x50\x09\x09", 4), "", "", false}}};
  const auto refused = table.change_elements({added, wanted_gone("reach4", "\x0a\x50\x09\x0a")});  // is not there
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().number == ENOENT);
  CHECK(differences_to_what_nft_lists(rules) == std::vector<std::string>{});
  const ElementChange overlapping{
      "facility4", {}, {{std::string("\x0a\0\0\0", 4), "", "", false}, {std::string("\x0b\0\0\0", 4), "", "", true}}};
  CHECK_FALSE(table.change_elements({added, overlapping}).has_value());
  CHECK_FALSE(table.change_elements({added, {"nowhere", {}, added.added}}).has_value());
  CHECK(differences_to_what_nft_lists(rules) == std::vector<std::string>{});
  CHECK(table.change_elements({}).has_value());
  CHECK(table.change_elements({added}).has_value());  // no answer to a batch of before is taken for its own
  CHECK(table.change_elements({added}).has_value());  // it is there already: no error
  CHECK(differences_to_what_nft_lists(rules).size() == 1);
}

TEST_CASE("nftables batch: a value is changed, and whole families are written, in one transaction", "[fw]") {
  const NetworkNamespace space;
  RuleSet rules;
  rules.sets.push_back(
      {"class4", "map", "ipv4_addr : mark", "interval", {"0.0.0.0/1 : 0x00000001", "240.0.0.0/4 : 0x00000002"}});
  rules.sets.push_back({"facility6", "set", "ipv6_addr", "interval", {"::/0"}});
  auto table = table_with(without_elements(rules));
  REQUIRE(table.change_elements(all_elements(rules)).has_value());
  CHECK(differences_to_what_nft_lists(rules) == std::vector<std::string>{});
  auto other = rules;
  other.sets[0].elements = {"0.0.0.0/1 : 0x00000003", "128.0.0.0/1 : 0x00000002"};
  REQUIRE(table.change_elements({*firewall::element_change(other.sets[0], rules.sets[0].elements)}).has_value());
  CHECK(differences_to_what_nft_lists(other) == std::vector<std::string>{});
  CHECK(*daemon::listed_differences(table, other) == std::vector<std::string>{});
}

TEST_CASE("nftables batch: one that is bound to a generation is refused after anybody's change", "[fw]") {
  const NetworkNamespace space;
  const auto rules = sample_rules();
  auto table = table_with(rules);
  const ElementChange added{"reach4", {}, {{std::string("\x0a\x50\x09\x09", 4), "", ""}}};
  const auto before = os::nftables_generation();
  REQUIRE(before.has_value());
  REQUIRE(stranger("nft add table inet other") == 0);
  const auto refused = table.change_elements({added}, *before);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().number == ERESTART);
  CHECK(*daemon::listed_differences(table, rules) == std::vector<std::string>{});
  CHECK(table.change_elements({added}, *os::nftables_generation()).has_value());
}

TEST_CASE("nftables batch: a set that looks like ours and is another, and an element with more in it, are differences",
          "[fw]") {
  const NetworkNamespace space;
  REQUIRE(stranger("nft add table inet sekisho") == 0);
  RuleSet rules;
  rules.sets.push_back({"reach4", "set", "ipv4_addr", "", {"10.80.0.10"}});
  auto table = table_with(rules);
  CHECK(*daemon::listed_differences(table, rules) == std::vector<std::string>{});
  SECTION("a size") {
    REQUIRE(stranger("nft delete set inet sekisho reach4") == 0);
    REQUIRE(stranger("nft add set inet sekisho reach4 { type ipv4_addr; size 70000; elements = { 10.80.0.10 }; }") ==
            0);
  }
  SECTION("an expression in each element") {
    REQUIRE(stranger("nft delete set inet sekisho reach4") == 0);
    REQUIRE(stranger("nft add set inet sekisho reach4 { type ipv4_addr; limit rate 1/day; }") == 0);
    REQUIRE(stranger("nft add element inet sekisho reach4 { 10.80.0.10 }") == 0);
    const auto elements = os::nftables_elements("sekisho", "reach4");
    CHECK((elements && elements->size() == 1 && elements->at(0).more));
    CHECK(os::nftables_sets("sekisho")->at("reach4").more);
  }
  SECTION("all other keys") {
    REQUIRE(stranger("nft add element inet sekisho reach4 { * }") == 0);
  }
  CHECK_FALSE(daemon::listed_differences(table, rules)->empty());
}

TEST_CASE("nftables batch: a hundred thousand elements in one transaction", "[fw]") {
  const NetworkNamespace space;
  RuleSet rules;
  rules.sets.push_back({"many", "map", "ipv4_addr . ipv4_addr . inet_proto . inet_service : mark", "", {}});
  for (int i = 0; i < 100'000; ++i)
    rules.sets[0].elements.push_back("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                                     std::to_string(i % 256) + " . 10.80.0.10 . tcp . 443 : 0x00000001");
  std::ranges::sort(rules.sets[0].elements);
  auto table = table_with(without_elements(rules));
  REQUIRE(table.change_elements(all_elements(rules)).has_value());
  CHECK(*daemon::listed_differences(table, rules) == std::vector<std::string>{});
}

}  // namespace
}  // namespace gateway::tests
