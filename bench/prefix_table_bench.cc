// Longest-prefix match: nanoseconds a lookup, milliseconds a build and memory, for 10 to 100,000 prefixes of a family.
//   bench_prefix_table [LOOKUPS]   one line of JSON a case
// "spread": every lookup another prefix, so its memory is cold; "few": 64 addresses in turn, as busy flows are.
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "gateway/core/prefix_table.h"

namespace {

using config::value::IpAddress;
using config::value::Prefix;
using gateway::core::PrefixEntry;
using gateway::core::PrefixTable;

// Of this process: others that run on the same cores cost it caches, not time.
double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Hospitals' networks: of 10.0.0.0/8 and 100.64.0.0/10, /22 to /28; of fd00::/16, /48 to /64.
Prefix random_prefix(std::mt19937_64& random, bool v4) {
  const std::uint64_t bits = random();
  if (v4) {
    const auto octet = [bits](int at) { return static_cast<std::uint8_t>(bits >> at); };
    const bool ten = bits % 2 == 0;
    const auto second = ten ? octet(8) : static_cast<std::uint8_t>(64 + octet(8) % 64);
    return Prefix::masked(IpAddress::v4({static_cast<std::uint8_t>(ten ? 10 : 100), second, octet(16), octet(24)}),
                          static_cast<std::uint8_t>(22 + octet(32) % 7));
  }
  std::array<std::uint8_t, 16> octets{0xfd, 0};
  for (std::size_t i = 2; i < 8; ++i) octets[i] = static_cast<std::uint8_t>(bits >> (8 * i));
  return Prefix::masked(IpAddress::v6(octets), static_cast<std::uint8_t>(48 + bits % 17));
}

// Each lookup waits for the one before, as a packet's verdict does.
double lookup_time(const PrefixTable& table, const std::vector<IpAddress>& addresses, std::size_t lookups) {
  std::uint32_t found = 0;
  const double start = cpu_nanoseconds();
  for (std::size_t i = 0; i < lookups; ++i) found = table.find(addresses[(i + (found & 1)) % addresses.size()]) ^ found;
  const double spent = (cpu_nanoseconds() - start);
  if (found == 0xdeadbeef) std::abort();  // so that the compiler may not leave it out
  return spent / static_cast<double>(lookups);
}

void measure(bool v4, std::size_t count, std::size_t lookups) {
  std::mt19937_64 random(1);
  std::vector<PrefixEntry> entries;
  for (std::uint32_t i = 0; i < count; ++i) entries.push_back({random_prefix(random, v4), i});
  const double start = cpu_nanoseconds();
  const PrefixTable table(entries);
  const double build = (cpu_nanoseconds() - start) / 1e6;
  std::vector<IpAddress> spread, few;
  for (std::size_t i = 0; i < 65'536; ++i) spread.push_back(entries[random() % count].prefix.address());
  few.assign(spread.begin(), spread.begin() + 64);
  (void)lookup_time(table, spread, lookups / 10);
  fmt::print(
      "{{\"family\":{},\"prefixes\":{},\"ns_spread\":{:.1f},\"ns_few\":{:.1f},\"build_ms\":{:.2f},\"kib\":{}}}\n",
      v4 ? 4 : 6, count, lookup_time(table, spread, lookups), lookup_time(table, few, lookups), build,
      table.octets() / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t lookups = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000'000;
  for (const bool v4 : {true, false})
    for (const std::size_t count : {10, 1'000, 10'000, 100'000}) measure(v4, count, lookups);
}
