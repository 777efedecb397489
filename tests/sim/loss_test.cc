// Loss, repetition and reordering between two endpoints, over virtual hours.
#include <catch2/catch.hpp>

#include "tests/sim/network.h"

using namespace sim;

namespace {

// Numbered packets, so that a repeated or invented one is seen.
Datagram numbered(const char* source, const char* destination, std::uint32_t number) {
  Datagram packet = ipv4_packet(source, destination, 64);
  for (std::size_t i = 0; i < 4; ++i) packet[28 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return packet;
}

std::size_t distinct(const Node& node) {
  std::vector<Datagram> all;
  for (const Received& r : node.received) all.push_back(r.bytes);
  std::ranges::sort(all);
  const auto repeated = std::ranges::unique(all);
  return all.size() - repeated.size();
}

}  // namespace

//   a sends 10 a second, b answers each, 4 h: 120 rekeys, nothing lost, nothing twice
TEST_CASE("rekeys over four hours lose no packet") {
  const bool both_roles = GENERATE(false, true);
  Pair pair("psk");
  Network network(pair, {.seed = 3, .loss_per_mille = 0, .repeat_per_mille = 0, .delay = 20ms, .spread = {}});
  constexpr std::uint32_t kPackets = 4 * 3600 * 10;
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    pair.a.send(1, numbered("10.1.0.5", "10.2.0.5", i), pair.now);
    if (both_roles || i % 100 == 0) pair.b.send(1, numbered("10.2.0.5", "10.1.0.5", i), pair.now);
    network.run(pair.now + 100ms);
  }
  network.run(pair.now + 1s);
  CHECK(pair.b.received.size() == kPackets);
  CHECK(distinct(pair.b) == kPackets);
  CHECK(pair.a.received.size() == (both_roles ? kPackets : kPackets / 100));
  CHECK(pair.a.endpoint->counters({1})->handshakes >= 115);
  CHECK(pair.a.endpoint->counters({1})->handshakes <= 125);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) + pair.b.events_of(EventKind::kTunnelDown) == 0);
}

//   both sides call at the same moment, and go on sending
TEST_CASE("simultaneous initiations leave one working tunnel, also through the following rekeys") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair("psk");
    Network network(pair, {.seed = seed, .loss_per_mille = 0, .repeat_per_mille = 0, .delay = 20ms, .spread = 10ms});
    for (std::uint32_t i = 0; i < 5000; ++i) {
      pair.a.send(1, numbered("10.1.0.5", "10.2.0.5", i), pair.now);
      pair.b.send(1, numbered("10.2.0.5", "10.1.0.5", i), pair.now);
      network.run(pair.now + 100ms);
    }
    network.run(pair.now + 1s);
    INFO("seed " << seed);
    CHECK(pair.a.received.size() == 5000);
    CHECK(pair.b.received.size() == 5000);
  }
}

TEST_CASE("at 1, 5 and 20 % loss the handshake is done in 10 s at least 95 times of 100, and never later than 60 s") {
  const std::uint32_t loss = GENERATE(10u, 50u, 200u);
  int quick = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Pair pair;
    Network network(pair, {.seed = seed, .loss_per_mille = loss, .repeat_per_mille = 0, .delay = 20ms, .spread = {}});
    pair.a_sends();
    network.run(kStart + 10'900ms);  // the first try and two retries with their jitter
    quick += pair.a.endpoint->counters({1})->up ? 1 : 0;
    network.run(kStart + 60s);
    CHECK(pair.a.endpoint->counters({1})->up);
  }
  INFO("loss " << loss);
  CHECK(quick >= 95);
}

TEST_CASE("at 20 % loss an hour of traffic loses what the network lost, and no more") {
  Pair pair("psk");
  Network network(pair, {.seed = 9, .loss_per_mille = 200, .repeat_per_mille = 50, .delay = 20ms, .spread = 300ms});
  constexpr std::uint32_t kPackets = 36'000;
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    pair.a.send(1, numbered("10.1.0.5", "10.2.0.5", i), pair.now);
    network.run(pair.now + 100ms);
  }
  CHECK(distinct(pair.b) == pair.b.received.size());
  CHECK(pair.b.received.size() >= kPackets * 79 / 100);
  CHECK(pair.b.received.size() <= kPackets * 82 / 100);
}

TEST_CASE("reordering 1,000 deep and repetition: each packet once") {
  Pair pair;
  pair.connect();
  pair.b.received.clear();
  Network network(pair, {.seed = 4, .loss_per_mille = 0, .repeat_per_mille = 300, .delay = 1ms, .spread = 100ms});
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    pair.a.send(1, numbered("10.1.0.5", "10.2.0.5", i), pair.now);
    network.run(pair.now + 100us);
  }
  network.run(pair.now + 1s);
  CHECK(pair.b.received.size() == 20'000);
  CHECK(distinct(pair.b) == 20'000);
  CHECK(pair.b.dropped(Drop::kReplay) > 5'000);
}

TEST_CASE("of 1,000,000 random replays none is accepted") {
  Pair pair;
  pair.connect();
  std::vector<Datagram> captured;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    pair.a.send(1, numbered("10.1.0.5", "10.2.0.5", i), pair.now);
    for (Sent& s : pair.a.take_sent()) {
      captured.push_back(s.bytes);
      pair.b.receive(std::move(s.bytes), pair.a.address, pair.now);
    }
  }
  const std::size_t accepted = pair.b.received.size();
  CHECK(accepted == 20'001);
  SeededRng dice(6);
  const SocketAddress spoofed = socket_address("198.51.100.66:666");
  for (int i = 0; i < 1'000'000; ++i) {
    pair.b.receive(captured[dice.below(static_cast<std::uint32_t>(captured.size()))], spoofed, pair.now);
  }
  CHECK(pair.b.received.size() == accepted);
  CHECK(pair.b.dropped(Drop::kReplay) == 1'000'000);
  CHECK(pair.b.endpoint->counters({1})->path->remote == pair.a.address);
}
