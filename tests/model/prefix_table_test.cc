// The trie against a naive list: random nested prefixes of both families, and the edges of each.
#include "gateway/core/prefix_table.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using config::value::IpAddress;
using config::value::Prefix;
using gateway::core::PrefixEntry;
using gateway::core::PrefixTable;

namespace {

std::uint32_t naive(const std::vector<PrefixEntry>& entries, const IpAddress& address) {
  int longest = -1;
  std::uint32_t value = PrefixTable::kNone;
  for (const PrefixEntry& entry : entries) {
    if (!entry.prefix.contains(address) || entry.prefix.length() < longest) continue;
    longest = entry.prefix.length(), value = entry.value;  // of equals the last
  }
  return value;
}

// Few distinct octets, so that prefixes nest and addresses hit them.
IpAddress random_address(std::mt19937& random, bool v4) {
  std::array<std::uint8_t, 16> octets{};
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 2 * 0x81);
  return v4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
}

}  // namespace

TEST_CASE("prefix table: equals a naive list", "[prefix_table]") {
  std::mt19937 random(42);
  for (int round = 0; round < 60; ++round) {
    std::vector<PrefixEntry> entries;
    const std::size_t count = random() % 400;
    for (std::uint32_t i = 0; i < count; ++i) {
      const bool v4 = random() % 2 == 0;
      const auto length = static_cast<std::uint8_t>(random() % (v4 ? 33 : 129));
      entries.push_back({Prefix::masked(random_address(random, v4), length), i});
    }
    const PrefixTable table(entries);
    for (int query = 0; query < 400; ++query) {
      const IpAddress address = random_address(random, random() % 2 == 0);
      REQUIRE(table.find(address) == naive(entries, address));
    }
    for (const PrefixEntry& entry : entries)
      REQUIRE(table.find(entry.prefix.address()) == naive(entries, entry.prefix.address()));
  }
}

// What a hostile or clumsy plan could hold: one address at every length, and siblings that differ in their last bit.
TEST_CASE("prefix table: chains of every length and neighbours of every length", "[prefix_table]") {
  std::mt19937 random(3);
  for (const bool v4 : {true, false}) {
    const std::uint8_t bits = v4 ? 32 : 128;
    for (int round = 0; round < 20; ++round) {
      const IpAddress base = random_address(random, v4);
      std::vector<PrefixEntry> entries;
      for (std::uint8_t length = 0; length <= bits; ++length) {
        if (round > 0 && random() % 3 == 0) continue;
        entries.push_back({Prefix::masked(base, length), static_cast<std::uint32_t>(entries.size())});
        auto octets = base.storage();
        if (length > 0) octets[(length - 1) / 8] ^= static_cast<std::uint8_t>(0x80 >> (length - 1) % 8);
        const auto sibling = v4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
        if (random() % 2 == 0)
          entries.push_back({Prefix::masked(sibling, length), static_cast<std::uint32_t>(entries.size())});
      }
      std::shuffle(entries.begin(), entries.end(), random);
      const PrefixTable table(entries);
      for (unsigned bit = 0; bit < bits; ++bit) {
        auto octets = base.storage();
        octets[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
        const auto address = v4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
        REQUIRE(table.find(address) == naive(entries, address));
      }
      REQUIRE(table.find(base) == naive(entries, base));
    }
  }
}

// As the plan of many hospitals looks: thousands of networks close together, few nested.
TEST_CASE("prefix table: many networks of one range equal a naive list", "[prefix_table]") {
  std::mt19937 random(5);
  for (const bool v4 : {true, false}) {
    const auto near = [&] {
      const auto r = static_cast<std::uint32_t>(random());
      const auto octet = [r](int at) { return static_cast<std::uint8_t>(r >> at); };
      return v4 ? IpAddress::v4({10, static_cast<std::uint8_t>(octet(0) % 8), octet(8), octet(16)})
                : IpAddress::v6(
                      {0xfd, 0, 1, 2, static_cast<std::uint8_t>(octet(0) % 8), octet(8), octet(16), octet(24)});
    };
    std::vector<PrefixEntry> entries;
    for (std::uint32_t i = 0; i < 3000; ++i)
      entries.push_back({Prefix::masked(near(), static_cast<std::uint8_t>((v4 ? 20 : 48) + random() % 13)), i});
    const PrefixTable table(entries);
    for (int query = 0; query < 2000; ++query) {
      const IpAddress address = near();
      REQUIRE(table.find(address) == naive(entries, address));
    }
    for (std::size_t i = 0; i < entries.size(); i += 7)
      REQUIRE(table.find(entries[i].prefix.address()) == naive(entries, entries[i].prefix.address()));
  }
}

TEST_CASE("prefix table: empty, default routes and hosts", "[prefix_table]") {
  const auto v4 = IpAddress::v4({255, 255, 255, 255});
  std::array<std::uint8_t, 16> ones;
  ones.fill(255);
  const auto v6 = IpAddress::v6(ones);
  CHECK(PrefixTable().find(v4) == PrefixTable::kNone);
  CHECK(PrefixTable(std::vector<PrefixEntry>{}).find(v6) == PrefixTable::kNone);
  const PrefixTable table({{Prefix::masked(v4, 0), 1}, {Prefix::host(v4), 2}, {Prefix::host(v6), 3}});
  CHECK(table.find(IpAddress::v4({1, 2, 3, 4})) == 1);
  CHECK(table.find(v4) == 2);
  CHECK(table.find(v6) == 3);
  ones[15] = 254;
  CHECK(table.find(IpAddress::v6(ones)) == PrefixTable::kNone);  // the families do not mix
}

TEST_CASE("prefix table: 100,000 prefixes stay small", "[prefix_table]") {
  std::mt19937 random(9);
  std::vector<PrefixEntry> entries;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(random());
    const auto address = IpAddress::v4({static_cast<std::uint8_t>(bits >> 24), static_cast<std::uint8_t>(bits >> 16),
                                        static_cast<std::uint8_t>(bits >> 8), 0});
    entries.push_back({Prefix::masked(address, 24), i});
  }
  const PrefixTable table(entries);
  CHECK(table.octets() < 16u << 20);
  for (std::size_t i = 99'000; i < entries.size(); ++i)
    REQUIRE(table.find(entries[i].prefix.address()) != PrefixTable::kNone);
}
