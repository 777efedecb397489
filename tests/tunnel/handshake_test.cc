// The handshake in both roles: WireGuard 5.4.2 and 5.4.3, with and without preshared key, and everything that must not pass.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"

using namespace sim;

namespace {

//   a                                   b
//   |------- initiation (148) --------->|
//   |<------ response (92) -------------|
//   |------- staged packet ------------>|
void handshake_then_data_both_ways(Pair& pair) {
  pair.connect();
  REQUIRE(pair.b.received.size() == 1);
  CHECK(pair.b.received[0].bytes == ipv4_packet("10.1.0.5", "10.2.0.5", 100));
  pair.b_sends();
  pair.exchange();
  REQUIRE(pair.a.received.size() == 1);
  CHECK(pair.a.received[0].bytes == ipv4_packet("10.2.0.5", "10.1.0.5", 100));
  for (const Node* node : {&pair.a, &pair.b}) {
    CHECK(node->events_of(EventKind::kTunnelUp) == 1);
    CHECK(node->events_of(EventKind::kHandshakeDone) == 1);
    CHECK(node->events_of(EventKind::kHandshakeFailed) == 0);
    CHECK(node->endpoint->counters({1})->up);
  }
}

}  // namespace

TEST_CASE("handshake without preshared key") {
  Pair pair;
  handshake_then_data_both_ways(pair);
  CHECK(pair.a.keyd.asked == 2);  // static-static, then static-ephemeral
  CHECK(pair.b.keyd.asked == 2);
}

TEST_CASE("handshake with preshared key") {
  Pair pair("psk");
  handshake_then_data_both_ways(pair);
  CHECK(pair.a.keyd.asked == 3);
  CHECK(pair.b.keyd.asked == 3);
}

TEST_CASE("the receiver indices carry the worker") {
  EndpointParams params;
  params.worker = 7;
  Pair pair("", params);
  pair.a_sends();
  REQUIRE(pair.a.sent.size() == 1);
  CHECK(pair.a.sent[0].bytes[7] == 7);
  pair.exchange();
  CHECK(pair.b.received.size() == 1);
}
