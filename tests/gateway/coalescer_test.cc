// What is joined is what came: cut apart again it is the same packets, in order within each flow.
#include "gateway/core/coalescer.h"

#include <catch2/catch.hpp>

#include <random>

#include "tests/gateway/joined_packets.h"

using gateway::core::Coalescer;
using gateway::core::Joins;
using joined::Batch;

namespace {

constexpr Joins kBoth{true, true};
constexpr std::uint8_t kV4Tcp = 3, kV6Tcp = 2, kV4Udp = 1, kV6Udp = 0;

struct Packet {
  std::uint8_t kind = kV4Tcp, length = 200, tcp = 0, ip = 0, value = 0;
};

joined::Outcome join(const std::vector<Packet>& wanted, Joins joins = kBoth) {
  Batch batch;
  for (const Packet& p : wanted) batch.add(std::array<std::uint8_t, 5>{p.kind, p.length, p.tcp, p.ip, p.value});
  Coalescer coalescer;
  const auto outcome = joined::join(coalescer, batch.packets(), joins);
  CHECK(outcome.same);
  return outcome;
}

}  // namespace

TEST_CASE("coalescer: a train of one flow becomes one packet", "[coalescer]") {
  for (const std::uint8_t kind : {kV4Tcp, kV6Tcp, kV4Udp, kV6Udp}) {
    CHECK(join(std::vector<Packet>(40, {.kind = kind})).writes == 1);
    CHECK(join({{.kind = kind}, {.kind = kind}, {.kind = kind, .length = 100}}).writes == 1);  // a shorter end
    CHECK(join(std::vector<Packet>(65, {.kind = kind, .length = 20})).writes == 2);            // 64 pieces
    CHECK(join(std::vector<Packet>(63, {.kind = kind, .length = 250})).writes >= 2);           // 64 KiB
  }
}

TEST_CASE("coalescer: flows side by side keep apart", "[coalescer]") {
  std::vector<Packet> mixed;
  for (int i = 0; i < 10; ++i)
    for (const std::uint8_t kind : {kV4Tcp, kV6Tcp, kV4Udp, kV6Udp})
      for (const int flow : {0, 4, 8}) mixed.push_back({.kind = static_cast<std::uint8_t>(kind | flow)});
  CHECK(join(mixed).writes == 12);
  CHECK(join(mixed, {true, false}).writes == 6 + 60);
  CHECK(join(mixed, {false, false}).writes == 120);
}

TEST_CASE("coalescer: what differs in more than its place stands alone, and nothing overtakes it", "[coalescer]") {
  const Packet usual{}, hole{.tcp = 2, .value = 9}, options{.tcp = 1}, window{.tcp = 0x40}, pushed{.tcp = 8};
  const Packet marked{.ip = 3}, fin{.tcp = 4, .value = 0x11}, urgent{.tcp = 4, .value = 0x30},
      echo{.tcp = 4, .value = 0x50};
  const Packet wrong{.ip = 16}, longer{.length = 210}, empty{.length = 0};
  for (const Packet& odd : {hole, options, window, marked, fin, urgent, echo, wrong, longer, empty}) {
    INFO("length " << int(odd.length) << " tcp " << int(odd.tcp) << " ip " << int(odd.ip) << " value "
                   << int(odd.value));
    CHECK(join({usual, usual, odd, usual, usual}).writes >= 3 - (odd.tcp == 2));
  }
  CHECK(join({usual, usual, hole, usual, usual}).writes == 2);  // the hole begins a new train
  CHECK(join({usual, pushed, usual, usual}).writes == 2);       // a push ends one
  CHECK(join({usual, {.length = 100}, usual}).writes == 2);     // so does a short one
  // may be fragmented: only with identifications that count up
  CHECK(join(std::vector<Packet>(5, {.ip = 8})).writes == 1);
  CHECK(join(std::vector<Packet>(5, {.ip = 12, .value = 7})).writes == 5);
  CHECK(join(std::vector<Packet>(5, {.ip = 4, .value = 7})).writes == 1);  // must not: they say nothing
}

TEST_CASE("coalescer: batches of every sort", "[coalescer]") {
  std::mt19937 random(20261126);
  Coalescer coalescer;
  std::size_t packets = 0, writes = 0;
  for (int round = 0; round < 3000; ++round) {
    Batch batch;
    const std::size_t count = random() % 200;
    const std::uint8_t usual = random() % 2 == 0 ? 0 : 200;  // odd ones, or trains with few of them
    for (std::size_t i = 0; i < count; ++i) {
      std::array<std::uint8_t, Batch::kRecord> record{};
      for (auto& octet : record) octet = static_cast<std::uint8_t>(random());
      if (random() % 256 < usual) record[1] = 180, record[2] = record[3] = 0;
      batch.add(record);
    }
    const auto outcome = joined::join(coalescer, batch.packets(), {random() % 4 != 0, random() % 2 != 0});
    REQUIRE(outcome.same);
    packets += count, writes += outcome.writes;
  }
  CHECK(writes < packets * 9 / 10);  // there were trains among them
}
