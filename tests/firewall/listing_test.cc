// Listings of the kernel: what nft 1.0.6 writes, what is missing or foreign, and what is no listing at all.
#include "firewall/listing.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "firewall/compile.h"
#include "firewall/render.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;

namespace {

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

firewall::RuleSet sample() {
  return firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
}

// Two thousand facilities, neighbours all, with port ranges: nft 1.0.6 has listed some elements of such tables wrongly.
firewall::RuleSet many() {
  auto config = sample_config();
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "z" + std::to_string(10000 + i);
    const std::string network4 = "10." + std::to_string(100 + i / 256) + "." + std::to_string(i % 256) + ".0/24";
    const std::string network6 = "fd00:0:0:" + std::to_string(1000 + i) + "::/64";
    config.facilities.push_back(facility(name, {network(network4), network(network6)}, {"karte", "yoyaku"}));
  }
  return firewall::compile(policy::compile(config, at_second(1)).plan);
}

// Taken from a kernel that holds the sample (tests/golden/sample.nft).
std::string listing() {
  return file_text(std::string(SEKISHO_SOURCE_DIR) + "/tests/fuzz/seeds/listing/sample.json");
}

std::vector<std::string> drift(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), with);
  const auto read = firewall::read_listing(text);
  REQUIRE(read);
  return firewall::differences(sample(), *read);
}

}  // namespace

TEST_CASE("listing: the kernel's own listing of the sample shows no difference") {
  const auto read = firewall::read_listing(listing());
  REQUIRE(read);
  CHECK(firewall::differences(sample(), *read).empty());
  CHECK(read->counters.size() == sample().counters.size());
}

TEST_CASE("listing: what the kernel put into a dynamic set is no drift, into another it is") {
  auto wanted = sample();
  firewall::Listing present = *firewall::read_listing(listing());
  for (auto& set : present.sets)
    if (set.name == "fragments4") set.elements = {"203.0.113.99"};
  CHECK(firewall::differences(wanted, present).empty());
  for (auto& set : present.sets)
    if (set.name == "facility4") set.elements.emplace_back("203.0.113.99");
  CHECK(firewall::differences(wanted, present).size() == 1);
}

TEST_CASE("listing: each kind of drift is named") {
  using Lines = std::vector<std::string>;
  CHECK(drift(listing(), "\"policy\": \"drop\"", "\"policy\": \"accept\"") ==
        Lines{"chain forward has policy \"accept\""});
  CHECK(drift(listing(), "\"hook\": \"forward\"", "\"hook\": \"output\"") ==
        Lines{"chain forward hangs at \"output\""});
  CHECK(drift(listing(), "\"addr\": \"10.3.0.0\", \"len\": 24", "\"addr\": \"10.3.0.0\", \"len\": 16").size() == 2);
  CHECK(drift(listing(), "\"name\": \"drop_detour\"", "\"name\": \"other\"") ==
        Lines{"chain drop_detour is missing", "chain other is not ours"});
  CHECK(drift(listing(), "\"name\": \"ends_inside\"", "\"name\": \"more\"") ==
        Lines{"set ends_inside is missing", "set more is not ours"});
  const auto moved = drift(listing(), "\"chain\": \"forward\", \"handle\"", "\"chain\": \"input\", \"handle\"");
  CHECK(moved.size() == 2);  // one rule less here, one more there
  CHECK(drift(listing(), "{\"counter\": {\"family\": \"inet\", \"name\": \"detour\"",
              "{\"counter\": {\"family\": \"inet\", \"name\": \"gone\"") == Lines{"counter detour is missing"});
}

TEST_CASE("listing: names are put together out of several documents, and may be none") {
  const std::string chains =
      R"({"nftables": [{"metainfo": {}}, {"chain": {"family": "inet", "table": "sekisho", "name": "forward",
          "hook": "forward", "policy": "drop"}}, {"chain": {"family": "inet", "table": "other", "name": "a"}}]})";
  const std::string sets =
      R"({"nftables": [{"set": {"family": "inet", "table": "sekisho", "name": "site4", "type": "ipv4_addr"}}]})";
  const std::string maps =
      R"({"nftables": [{"map": {"family": "inet", "table": "sekisho", "name": "service4", "type": "ipv4_addr",
          "map": "mark"}}]})";
  const auto found = firewall::read_names({chains, sets, maps});
  REQUIRE(found.has_value());
  REQUIRE(found->chains.size() == 1);
  CHECK(found->chains[0].name == "forward");
  REQUIRE(found->sets.size() == 2);
  CHECK((found->sets[0].name == "service4" && found->sets[0].kind == "map"));
  CHECK((found->sets[1].name == "site4" && found->sets[1].kind == "set"));
  CHECK(firewall::read_names({R"({"nftables": []})"})->chains.empty());
  CHECK_FALSE(firewall::read_names({chains, "{"}).has_value());
}

TEST_CASE("listing: what is no listing is an error, never a crash") {
  for (const char* text :
       {"", "{", "[]", "{}", "null", "{\"nftables\": 1}", "{\"nftables\": []}", "{\"nftables\": [1, {}]}",
        "{\"nftables\": [{\"table\": {\"family\": \"ip\", \"name\": \"sekisho\"}}]}"})
    CHECK_FALSE(firewall::read_listing(text));
}

TEST_CASE("listing: odd elements are read as something that is not ours") {
  const auto read = firewall::read_listing(
      R"({"nftables": [{"table": {"family": "inet", "name": "sekisho"}},
          {"map": {"family": "inet", "table": "sekisho", "name": "m", "type": 7, "elem": [1, [], [1, 2, 3], [[[[[]]]]]]}},
          {"set": {"family": "inet", "table": "sekisho", "name": "s", "type": ["mark"], "elem": [-1, {"range": 3}, 255]}}]})");
  REQUIRE(read);
  REQUIRE(read->sets.size() == 2);
  CHECK(read->sets[0].elements == std::vector<std::string>{"?", "?", "?", "?"});
  CHECK(read->sets[1].elements == std::vector<std::string>{"", "0x000000ff", "?"});
}

// Run by nft_accepts.sh with a listing of the kernel that was just given tests/golden/sample.nft.
TEST_CASE("listing: a live kernel holds the sample", "[.live]") {
  const char* path = std::getenv("SEKISHO_LISTING");
  REQUIRE(path != nullptr);
  const auto read = firewall::read_listing(file_text(path));
  REQUIRE(read);
  CHECK(firewall::differences(sample(), *read) == std::vector<std::string>{});
}

// Run by nft_accepts.sh: first writes the text, then, once nft has taken it, reads the listing.
TEST_CASE("listing: many facilities, the text", "[.many-text]") {
  const char* path = std::getenv("SEKISHO_TEXT");
  REQUIRE(path != nullptr);
  std::ofstream(path) << firewall::render_create_table() << firewall::render(many());
}

TEST_CASE("listing: many facilities, as a live kernel lists them", "[.many]") {
  const char* path = std::getenv("SEKISHO_LISTING");
  REQUIRE(path != nullptr);
  const auto read = firewall::read_listing(file_text(path));
  REQUIRE(read);
  CHECK(firewall::differences(many(), *read) == std::vector<std::string>{});
}
