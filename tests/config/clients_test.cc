// Software clients (config/check_clients.cc): one machine each, to which nothing can be opened; and the keys of unused
// permissions and pools.
#include <catch2/catch.hpp>

#include "tests/config/support.h"

using namespace config_test;
using namespace config;

namespace {

// "beta" of the base with other lines: its role, networks, and a word before it.
std::string client(const std::string& role, const std::string& networks, const std::string& more = "") {
  auto text = base_with("\"role\": \"viewing\"", "\"role\": \"" + role + "\", \"software_client\": true" + more);
  const std::string old = "[\"10.2.0.0/24\"]";
  const auto at = text.find(old);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old.size(), networks);
}

std::vector<std::string> errors_of(const std::string& text) {
  std::vector<std::string> out;
  for (const auto& each : load_text(text).diagnostics)
    if (each.severity == Severity::kError) out.push_back(each.key_path + ": " + each.message);
  return out;
}

bool any(const std::vector<std::string>& errors, std::string_view words) {
  return std::any_of(errors.begin(), errors.end(),
                     [&](const std::string& each) { return each.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("software client: a site's network, a disclosing role and an offer are errors") {
  const auto found = errors_of(client("disclosing", "[\"10.2.0.0/24\"]"));
  CHECK(any(found, "facilities.beta.networks[0]: 10.2.0.0/24 is a network, and \"beta\" is a software client"));
  CHECK(any(found, "facilities.beta.role: \"beta\" is a software client, which discloses nothing"));
  CHECK(
      any(errors_of(client("viewing", "[\"10.2.0.7\"]",
                           ", \"offers\": { \"files\": { \"addresses\": [\"10.2.0.7\"], \"ports\": [\"tcp/22\"] } }")),
          "offers something: nobody may open anything to a terminal"));
}

TEST_CASE("software client: each network that is no host is named by itself, with what to write, and nobody else") {
  const auto text = client("viewing", "[\"10.2.0.7\", \"10.2.1.0/24\", \"2001:db8:a::/64\"]");
  const auto errors = errors_of(text);
  CHECK(any(errors, "facilities.beta.networks[1]: 10.2.1.0/24 is a network"));
  CHECK(any(errors, "facilities.beta.networks[2]: 2001:db8:a::/64 is a network"));
  CHECK_FALSE(any(errors, "facilities.beta.networks[0]: "));
  CHECK_FALSE(any(errors, "\"alpha\" is a software client"));
  CHECK(found(load_text(text), "10.2.1.0/24 is a network").hint.find("its own address alone") != std::string::npos);
}

TEST_CASE("software client: the same facility without the word has none of these errors") {
  auto text = client("disclosing", "[\"10.2.0.0/24\"]");
  const std::string word = ", \"software_client\": true";
  text.replace(text.find(word), word.size(), "");
  CHECK_FALSE(any(errors_of(text), "software client"));
}

TEST_CASE("software client: single addresses, viewing, and no offer are fine") {
  for (const auto* networks : {"[\"10.2.0.7\"]", "[\"10.2.0.7/32\", \"2001:db8:a::7/128\"]",
                               "[{ \"real\": \"192.168.1.7/32\", \"seen_as\": \"100.64.1.7/32\" }]"})
    CHECK_FALSE(any(errors_of(client("viewing", networks)), "software client"));
}

TEST_CASE("gateway: unused_after_days and seen_as_pools are read, and bounded") {
  const auto with = [](const std::string& more) {
    return load_text(base_with("\"name\": \"dc1\",", "\"name\": \"dc1\", " + more + ","));
  };
  CHECK(load_text(base()).config.gateway.unused_after_days == 90);
  CHECK(with("\"unused_after_days\": 0").config.gateway.unused_after_days == 0);
  CHECK(has_errors(with("\"unused_after_days\": 3651").diagnostics));
  CHECK(has_errors(with("\"unused_after_days\": -1").diagnostics));
  const auto pools = with("\"seen_as_pools\": [\"100.80.0.0/16\", \"fd00:1::/48\"]").config.gateway.seen_as_pools;
  REQUIRE(pools.size() == 2);
  CHECK(pools[1].to_string() == "fd00:1::/48");
  CHECK(has_errors(with("\"seen_as_pools\": [\"100.80.0.1/16\"]").diagnostics));
}
