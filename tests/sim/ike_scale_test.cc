// Many peers at one endpoint: what an established pair costs in memory, and that a flood of first messages leaves
// nothing.
#include <malloc.h>

#include <catch2/catch.hpp>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

namespace {

constexpr std::uint32_t kPairs = 1000;

std::size_t allocated() {
  return mallinfo2().uordblks;
}

// Pairs of peers between the two ends, each connected before the next begins.
void connect_many(Pair& pair, std::uint32_t count) {
  for (std::uint32_t number = 1; number <= count; ++number) {
    ike::PeerParams peer = numbered("rtx", "gw", number);
    std::swap(peer.local_networks, peer.remote_networks);
    peer.endpoint = SocketAddress{pair.b.address, 500};
    peer.start = true;
    pair.a.set_peer(peer, pair.now);
    pair.run(pair.now + 100ms);
    pair.a.events.clear(), pair.b.events.clear();
  }
  pair.run(pair.now + 1s);
}

}  // namespace

TEST_CASE("ike: an established pair costs at most 32 KiB at each end") {
  Pair pair({}, without_admission());
  for (std::uint32_t number = 1; number <= kPairs; ++number) pair.b.set_peer(numbered("gw", "rtx", number), pair.now);
  const std::size_t before = allocated();
  connect_many(pair, kPairs);
  pair.a.events = {}, pair.b.events = {};
  std::size_t up = 0;
  for (std::uint32_t number = 1; number <= kPairs; ++number) up += pair.b.counters(number).up;
  CHECK(up == kPairs);
  const std::size_t each = (allocated() - before) / kPairs / 2;  // both ends are in this process
  WARN("octets for each established pair and end: " << each);
  CHECK(each <= 32 * 1024);
}

// RFC 7296 1.4.1, 2.1: a Delete is repeated until it is answered; beyond the bound it is said once.
TEST_CASE("ike: however many facilities are removed at once, 1,024 Deletes are repeated") {
  constexpr std::uint32_t kMany = 1030;
  Pair pair({}, without_admission());
  for (std::uint32_t number = 1; number <= kMany; ++number) pair.b.set_peer(numbered("gw", "rtx", number), pair.now);
  connect_many(pair, kMany);
  for (std::uint32_t number = 1; number <= kMany; ++number) pair.b.remove_peer(number, pair.now);
  CHECK(pair.b.take_sent().size() == kMany);
  CHECK(pair.b.endpoint->ike_sas() == 0);
  pair.b.on_deadline(pair.now + 600ms);
  CHECK(pair.b.take_sent().size() == 1024);
}

// RFC 7296 2.6, RFC 8019: no state before an address was proven.
TEST_CASE("ike: a flood of spoofed first messages leaves no state, and an honest peer still connects") {
  Pair pair;
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.a.set_peer(pair.b_at_a, pair.now);
  const Datagram first = pair.a.take_sent().front().bytes;
  pair.a.remove_peer(1, pair.now);
  const std::size_t before = allocated();
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    Datagram spoofed = first;
    for (std::size_t octet = 0; octet < 4; ++octet) spoofed[octet + 1] = static_cast<std::uint8_t>(i >> (8 * octet));
    const auto source = tunnel::wire::IpAddress::v4(
        {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i >> 16), 9});
    pair.now += 50us;
    pair.b.receive(spoofed, {source, 500}, 500, pair.now);
    if (i % 1000 == 0) pair.b.on_deadline(pair.now);
    for (const Sent& answer : pair.b.take_sent()) CHECK(answer.bytes.size() <= spoofed.size());
  }
  CHECK(pair.b.endpoint->ike_sas() <= 60);
  CHECK(allocated() - before < 16 * 1024 * 1024);
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.run(pair.now + 2s);
  CHECK(pair.up());
}
