// From where a peer may call and answer: its declared outer sources, also when a reload narrows them.
#include <catch2/catch.hpp>

#include "tests/sim/network.h"

using namespace sim;

TEST_CASE("sources narrowed under a live session: it ends, and nothing leaves for the old address") {
  Pair pair;
  pair.a_at_b.persistent_keepalive = std::chrono::seconds(5);
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.connect();
  pair.a_sends();  // a passive keepalive is now due at B as well
  pair.exchange();
  (void)pair.b.take_sent();
  pair.a_at_b.endpoint.reset();
  pair.a_at_b.outer_sources = {prefix("203.0.113.0/24")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 1);
  pair.b_sends();
  pair.b.run(pair.now + std::chrono::seconds(30));
  CHECK(pair.b.sent.empty());
}

TEST_CASE("sources narrowed while keyd is asked: the caller is not answered and moves nothing") {
  Pair pair("psk");
  pair.b.hold_keys = true;
  pair.connect();
  pair.b.answer_held(pair.now);  // who is calling is now known
  REQUIRE(pair.b.held.size() == 1);
  pair.a_at_b.outer_sources = {prefix("203.0.113.0/24")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.b.answer_held(pair.now);
  CHECK(pair.b.held.empty());
  CHECK(pair.b.sent.empty());
}

TEST_CASE("outer sources: a response from elsewhere is not taken up") {
  Pair pair;
  pair.b_at_a.outer_sources = {prefix("192.0.2.0/24")};
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.a_sends();
  pair.b.receive(pair.a.take_sent().at(0).bytes, pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent().at(0).bytes;
  pair.a.receive(response, socket_address("198.51.100.9:51820"), pair.now);
  CHECK(pair.a.dropped(Drop::kUnknownReceiver) == 1);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 0);
  CHECK(pair.a.sent.empty());
  pair.a.receive(response, pair.b.address, pair.now);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
}

TEST_CASE("outer sources: a call from elsewhere is told, with its address, while no tunnel is up") {
  Pair pair;
  pair.a_at_b.outer_sources = {prefix("192.0.2.0/30")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent().at(0).bytes;
  const auto elsewhere = socket_address("198.51.100.9:51820");
  for (int i = 0; i < 3; ++i) pair.b.receive(initiation, elsewhere, pair.now);
  CHECK(pair.b.events_of(EventKind::kHandshakeFailed) == 1);  // once a minute
  CHECK(pair.b.events.back().path.remote == elsewhere);
  CHECK(pair.b.endpoint->counters({1})->problem.find("\"source\"") != std::string_view::npos);
  pair.b.receive(initiation, pair.a.address, pair.now);
  pair.exchange();
  REQUIRE(pair.b.events_of(EventKind::kTunnelUp) == 1);
  CHECK(pair.b.endpoint->counters({1})->problem.empty());
  pair.now += std::chrono::seconds(61);
  pair.b.receive(initiation, elsewhere, pair.now);
  CHECK(pair.b.events_of(EventKind::kHandshakeFailed) == 1);  // who only names the key disturbs no tunnel
}

TEST_CASE("outer sources: handshakes from elsewhere are not answered, data from elsewhere is not opened") {
  Pair pair;
  pair.a_at_b.outer_sources = {prefix("192.0.2.0/30")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  pair.b.receive(initiation, socket_address("198.51.100.9:51820"), pair.now);
  CHECK(pair.b.sent.empty());
  CHECK(pair.b.keyd.asked == 1);
  pair.b.receive(initiation, pair.a.address, pair.now);
  pair.exchange();
  CHECK(pair.b.received.size() == 1);
  pair.a_sends();
  const Datagram data = pair.a.take_sent()[0].bytes;
  pair.b.receive(data, socket_address("198.51.100.9:51820"), pair.now);
  CHECK(pair.b.received.size() == 1);
  pair.b.receive(data, pair.a.address, pair.now);
  CHECK(pair.b.received.size() == 2);
}
