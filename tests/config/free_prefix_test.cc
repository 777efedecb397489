// The next prefix that nobody has.
#include <catch2/catch.hpp>
#include <random>

#include "config/free_prefix.h"
#include "tests/policy/sample_config.h"

using namespace config;
using namespace tests;

namespace {

std::vector<TakenPrefix> taken(const std::vector<std::string>& prefixes) {
  std::vector<TakenPrefix> out;
  for (const auto& each : prefixes) out.push_back({prefix(each), "x"});
  return out;
}

std::string free_in(const std::string& pool, int length, const std::vector<std::string>& prefixes) {
  const auto found = next_free(prefix(pool), static_cast<std::uint8_t>(length), taken(prefixes));
  return found ? found->to_string() : "none";
}

}  // namespace

TEST_CASE("free prefix: the lowest that overlaps nothing") {
  CHECK(free_in("100.64.0.0/10", 24, {}) == "100.64.0.0/24");
  CHECK(free_in("100.64.0.0/10", 24, {"100.64.0.0/24"}) == "100.64.1.0/24");
  CHECK(free_in("100.64.0.0/10", 24, {"100.64.1.0/24", "100.64.0.0/24", "100.64.3.0/24"}) == "100.64.2.0/24");
  CHECK(free_in("100.64.0.0/10", 24, {"100.64.0.77/32"}) == "100.64.1.0/24");
  CHECK(free_in("100.64.0.0/10", 24, {"100.64.0.0/15"}) == "100.66.0.0/24");
  CHECK(free_in("100.64.0.0/10", 16, {"100.64.0.0/24", "100.65.200.0/24"}) == "100.66.0.0/16");
  CHECK(free_in("100.64.0.0/10", 16, {"100.64.0.0/10", "100.64.0.0/24"}) == "none");
  CHECK(free_in("100.64.0.0/24", 25, {"100.64.0.0/25"}) == "100.64.0.128/25");
  CHECK(free_in("100.64.0.0/24", 25, {"100.64.0.0/25", "100.64.0.255/32"}) == "none");
  CHECK(free_in("100.64.0.0/24", 24, {}) == "100.64.0.0/24");
  CHECK(free_in("100.64.0.0/24", 23, {}) == "none");
  CHECK(free_in("100.64.0.0/30", 32, {"100.64.0.0/32", "100.64.0.2/32"}) == "100.64.0.1/32");
  CHECK(free_in("255.255.255.0/24", 25, {"255.255.255.0/25", "255.255.255.128/25"}) == "none");
  CHECK(free_in("0.0.0.0/0", 1, {"0.0.0.0/8"}) == "128.0.0.0/1");
  CHECK(free_in("100.64.0.0/10", 24, {"fd00::/8"}) == "100.64.0.0/24");
}

TEST_CASE("free prefix: IPv6 likewise, over 64-bit borders") {
  CHECK(free_in("fd12:3456::/32", 64, {"fd12:3456::/64"}) == "fd12:3456:0:1::/64");
  CHECK(free_in("fd12:3456::/32", 48, {"fd12:3456:0:ffff::/64"}) == "fd12:3456:1::/48");
  CHECK(free_in("fd12:3456::/64", 120, {"fd12:3456::/120", "fd12:3456::180/121"}) == "fd12:3456::200/120");
  CHECK(free_in("fd12::/63", 64, {"fd12::ffff:ffff:ffff:ffff/128"}) == "fd12:0:0:1::/64");
  CHECK(free_in("fd12::/64", 128, {"fd12::/65"}) == "fd12::8000:0:0:0/128");
  CHECK(free_in("ffff:ffff:ffff:ffff::/64", 65, {"ffff:ffff:ffff:ffff::/64"}) == "none");
  CHECK(free_in("::/0", 1, {"::/1"}) == "8000::/1");
}

TEST_CASE("free prefix: this machine's networks are taken, around its inside addresses at least a /24 or a /64") {
  const std::vector<HostNetwork> networks{{"dc0", address("100.64.0.1"), 30},
                                          {"dc0", address("fd12:3456::1"), 127},
                                          {"mgmt0", address("100.70.1.1"), 15},
                                          {"wan0", address("100.80.0.5"), 0}};
  const auto all = taken_by_host(networks, "dc0");
  const auto free = [&](const std::string& pool, int length) {
    const auto found = next_free(prefix(pool), static_cast<std::uint8_t>(length), all);
    return found ? found->to_string() : "none";
  };
  CHECK(free("100.64.0.0/16", 26) == "100.64.1.0/26");
  CHECK(free("fd12:3456::/48", 120) == "fd12:3456:0:1::/120");
  CHECK(free("100.70.0.0/15", 24) == "none");
  // A network of everything would leave nothing: of that one the address alone is taken.
  CHECK(free("100.80.0.0/16", 30) == "100.80.0.0/30");
  CHECK(free("100.80.0.4/30", 31) == "100.80.0.6/31");
}

TEST_CASE("free prefix: against trying each, on random pools") {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<TakenPrefix> all;
    for (auto i = random() % 12; i > 0; --i) {
      const auto length = static_cast<std::uint8_t>(20 + random() % 9);
      all.push_back({Prefix::masked(IpAddress::v4({10, 0, static_cast<std::uint8_t>(random() % 16),
                                                   static_cast<std::uint8_t>(random())}),
                                    length),
                     ""});
    }
    const auto pool = prefix("10.0.0.0/20");
    const auto length = static_cast<std::uint8_t>(20 + random() % 6);
    std::optional<Prefix> expected;
    for (std::uint32_t at = 0; at < 4096 && !expected; at += 1u << (32 - length)) {
      const auto each = Prefix::masked(
          IpAddress::v4({10, 0, static_cast<std::uint8_t>(at >> 8), static_cast<std::uint8_t>(at)}), length);
      const auto hits = [&](const TakenPrefix& other) { return other.prefix.overlaps(each); };
      if (std::none_of(all.begin(), all.end(), hits)) expected = each;
    }
    REQUIRE(next_free(pool, length, all) == expected);
  }
}

TEST_CASE("free prefix: everything that the configuration names is taken") {
  auto config = sample_config();
  config.gateway.inside.next_hops = {address("10.80.7.1")};
  config.facilities[0].tunnel.sources = {prefix("198.50.100.7/32")};
  const auto all = taken_prefixes(config);
  const auto has = [&](const Prefix& wanted) {
    return std::any_of(all.begin(), all.end(), [&](const TakenPrefix& each) { return each.prefix.contains(wanted); });
  };
  for (const auto& facility : config.facilities) {
    for (const auto& each : facility.networks) CHECK((has(each.real) && has(each.seen_as)));
    for (const auto& offer : facility.offers)
      for (const auto& each : offer.addresses) CHECK(has(Prefix::host(each)));
  }
  for (const auto& service : config.services)
    for (const auto& each : service.addresses) CHECK(has(Prefix::host(each)));
  for (const auto& each : config.gateway.outside.addresses) CHECK(has(Prefix::host(each)));
  CHECK(has(prefix("10.80.7.200/32")));  // beside the router inside
  CHECK(has(prefix("198.50.100.7/32")));
  for (const auto* each : {"127.1.0.0/16", "169.254.1.0/24", "203.0.113.0/25", "240.1.0.0/16", "ff02::/16", "fe80::/64",
                           "2001:db8:9::/48", "::1/128"})
    CHECK(has(prefix(each)));
  CHECK_FALSE(has(prefix("100.127.255.0/24")));
  // Whatever is suggested, no part of it is anybody's.
  const auto found = next_free(default_pool4(), 24, all);
  REQUIRE(found);
  for (const auto& each : all) CHECK_FALSE(each.prefix.overlaps(*found));
}
