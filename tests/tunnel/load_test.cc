// Who counts as load (WireGuard 5.3), and how fast we call when everybody wants to be called.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/initiation_pace.h"
#include "tunnel/wireguard/load_gauge.h"

using namespace sim;

namespace {

// `count` peers that are called as soon as they are there.
void call_many(Node& hub, std::uint32_t count, Instant now) {
  for (std::uint32_t i = 0; i < count; ++i) {
    PeerParams peer;
    peer.id = {100 + i};
    peer.public_key = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 9};
    peer.endpoint = SocketAddress{IpAddress::v4({198, 51, 100, 7}), static_cast<std::uint16_t>(1024 + i)};
    peer.persistent_keepalive = 25s;
    hub.set_peer(peer, now);
  }
}

}  // namespace

//   hub            5,000 facilities         a
//   |-- asks keyd for 5,000 calls, no answer |
//   |<------------ initiation ---------------|
//   |------------- response ---------------->|   not a cookie: our own calls are no load
TEST_CASE("WireGuard 5.3: our own calls are no load and take nobody's place in the queue") {
  Pair pair;
  pair.b.hold_keys = true;
  constexpr std::uint32_t kMany = 5000;
  call_many(pair.b, kMany, pair.now);
  while (pair.b.held.size() < kMany) {
    pair.now = *pair.b.endpoint->next_deadline();
    REQUIRE(pair.now < kStart + 5s);
    pair.b.on_deadline(pair.now);
  }
  CHECK(pair.b.dropped(Drop::kQueueFull) == 0);
  pair.b.held.clear();
  pair.b.hold_keys = false;
  pair.connect();
  CHECK(pair.b.dropped(Drop::kUnderLoad) == 0);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("10,000 facilities are called in turns: a burst, then an even stream, everybody within REKEY-TIMEOUT") {
  Node hub(11);
  hub.hold_keys = true;
  constexpr std::uint32_t kMany = 10'000;
  call_many(hub, kMany, kStart);
  CHECK(hub.held.size() >= InitiationPace::kBurst);
  CHECK(hub.held.size() < 3000);
  std::size_t before = hub.held.size(), most = 0;
  Instant second = kStart + 1s;
  for (Instant now = kStart; hub.held.size() < kMany; now += 1ms) {
    REQUIRE(now < kStart + 5500ms);
    hub.on_deadline(now);
    if (now < second) continue;
    most = std::max(most, hub.held.size() - before);
    before = hub.held.size();
    second += 1s;
  }
  CHECK(most < 2500);
}

TEST_CASE("a few peers are called at once, the next in turns") {
  InitiationPace pace;
  for (int i = 0; i <= InitiationPace::kBurst; ++i) CHECK(pace.take(kStart, 100));
  CHECK_FALSE(pace.take(kStart, 100));
  CHECK(pace.next() == kStart + 2ms);
  CHECK(pace.take(kStart + 2ms, 100));
  CHECK_FALSE(pace.take(kStart + 2ms, 10'000));
  CHECK(pace.take(kStart + 1s, 0));
}

TEST_CASE("WireGuard 5.3: more than 1,000 unasked messages a second are load, for one second after the last") {
  LoadGauge load;
  for (std::uint32_t i = 0; i < kLoadedPerSecond; ++i) load.count(kStart);
  CHECK_FALSE(load.loaded(0, kStart));
  load.count(kStart);
  CHECK(load.loaded(0, kStart));
  CHECK(load.loaded(0, kStart + 999ms));
  CHECK_FALSE(load.loaded(0, kStart + 1s));
  CHECK_FALSE(load.loaded(kLoadedPending - 1, kStart + 1s));
  CHECK(load.loaded(kLoadedPending, kStart + 1s));
}

// Only the first response to a call is our own doing; whoever repeats it is a stranger again.
TEST_CASE("responses to one call beyond the first count as load") {
  Pair pair;
  pair.a_sends();
  for (Sent& s : pair.a.take_sent()) pair.b.receive(std::move(s.bytes), pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent().at(0).bytes;
  pair.a.hold_keys = true;
  for (std::size_t i = 0; i < kLoadedPending + 1; ++i) pair.a.receive(response, pair.b.address, pair.now);
  CHECK(pair.a.held.size() == kLoadedPending + 1);
  pair.a.receive(response, pair.b.address, pair.now);
  CHECK(pair.a.dropped(Drop::kUnderLoad) == 1);
  pair.a.answer_held(pair.now);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
}
