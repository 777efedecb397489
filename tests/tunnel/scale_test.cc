// 10,000 peers on one endpoint: deadlines, indices and memory of packets stay in order.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"

using namespace sim;

TEST_CASE("WireGuard 6: 10,000 peers are called, retried, given up and removed, each on its own time") {
  Node hub(11);
  hub.hold_keys = true;  // keyd is silent: nothing but the timers is looked at
  constexpr std::uint32_t kPeers = 10'000;
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    PeerParams peer;
    peer.id = {i};
    peer.public_key = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 9};
    peer.endpoint = SocketAddress{IpAddress::v4({198, 51, 100, 7}), static_cast<std::uint16_t>(1024 + i)};
    hub.set_peer(peer, kStart);
    hub.send(i, ipv4_packet("10.1.0.5", "10.2.0.5", 40), kStart + std::chrono::milliseconds(i % 5000));
  }
  Instant last = kStart;
  for (auto next = hub.endpoint->next_deadline(); next; next = hub.endpoint->next_deadline()) {
    REQUIRE(*next >= last);
    last = *next;
    hub.on_deadline(last);
  }
  CHECK(hub.events_of(EventKind::kHandshakeGaveUp) == kPeers);
  CHECK(last < kStart + 105s);
  for (std::uint32_t i = 0; i < kPeers; ++i) hub.remove_peer(i, last);
  CHECK_FALSE(hub.endpoint->next_deadline().has_value());
}
