// Data: WireGuard 5.4.6, 6.2, 6.3, 6.5 and the check of the inner source (promise P2).
#include <catch2/catch.hpp>

#include "tests/sim/network.h"
#include "tunnel/wireguard/constants.h"

using namespace sim;

TEST_CASE("promise P2: an inner source outside the peer's networks is never delivered") {
  Pair pair;
  pair.connect();
  const std::size_t before = pair.b.received.size();
  for (const char* source : {"10.2.0.5", "10.1.1.0", "10.0.255.255", "0.0.0.0", "127.0.0.1", "255.255.255.255"}) {
    pair.a.send(1, ipv4_packet(source, "10.2.0.5", 100), pair.now);
    pair.exchange();
  }
  for (const char* source : {"2001:db8:2::5", "::", "::ffff:10.1.0.5", "2001:db8:1:1::1"}) {
    pair.a.send(1, ipv6_packet(source, "2001:db8:2::5", 60), pair.now);
    pair.exchange();
  }
  CHECK(pair.b.received.size() == before);
  CHECK(pair.b.dropped(Drop::kInnerSource) == 10);
  CHECK(pair.b.events_of(EventKind::kSourceRefused) == 1);  // at most one a second: no peer fills the record at will
  for (const char* source : {"10.1.0.0", "10.1.0.255"}) pair.a.send(1, ipv4_packet(source, "10.2.0.5", 100), pair.now);
  pair.a.send(1, ipv6_packet("2001:db8:1::ffff", "2001:db8:2::5", 60), pair.now);
  pair.exchange();
  CHECK(pair.b.received.size() == before + 3);
}

#ifdef SEKISHO_FAULTS
TEST_CASE("the fault switch opens exactly the inner-source check") {
  Pair pair;
  pair.connect();
  pair.b.endpoint->set_faults({.open_selectors = true});
  pair.a.send(1, ipv4_packet("203.0.113.1", "10.2.0.5", 100), pair.now);
  pair.exchange();
  CHECK(pair.b.received.back().bytes == ipv4_packet("203.0.113.1", "10.2.0.5", 100));
}
#endif

TEST_CASE("RFC 791 3.1: malformed inner packets are dropped, padding is cut to the IP length") {
  Pair pair;
  pair.connect();
  const std::size_t before = pair.b.received.size();
  const auto refused = [&](Datagram packet) {
    const auto count = pair.b.dropped(Drop::kInnerMalformed);
    pair.a.send(1, std::move(packet), pair.now);
    pair.exchange();
    return pair.b.dropped(Drop::kInnerMalformed) == count + 1;
  };
  Datagram longer = ipv4_packet("10.1.0.5", "10.2.0.5", 112), version = longer, header = longer, shorter = longer;
  longer[3] = 113;
  version[0] = 0x55;
  header[0] = 0x44;
  shorter[3] = 19;
  CHECK((refused(longer) && refused(version) && refused(header) && refused(shorter)));
  Datagram options = ipv4_packet("10.1.0.5", "10.2.0.5", 32);
  options[0] = 0x4f;
  CHECK(refused(options));
  Datagram v6 = ipv6_packet("2001:db8:1::5", "2001:db8:2::5", 56);
  v6[5] = 57;
  CHECK(refused(v6));
  CHECK(refused(Datagram(39, 0x60)));
  CHECK(refused(Datagram(19, 0x45)));
  CHECK(refused({0x45}));
  CHECK(pair.b.received.size() == before);
  for (std::size_t size = 20; size < 60; ++size) {
    pair.a_sends(size);
    CHECK((pair.a.sent.at(0).bytes.size() - 32) % 16 == 0);
    pair.exchange();
    REQUIRE(pair.b.received.back().bytes.size() == size);
  }
}

TEST_CASE("WireGuard 5.4.6: padding never goes beyond the MTU") {
  Pair pair;
  pair.connect();
  for (const std::size_t size : {1408u, 1409u, 1419u, 1420u, 1500u}) {
    pair.a_sends(size);
    const std::size_t inner = pair.a.take_sent().at(0).bytes.size() - 32;
    CHECK(inner == std::max<std::size_t>(size, size <= 1408 ? 1408 : 1420));
  }
}

TEST_CASE("RFC 6040 4.1: the outer ECN of a sent packet is the inner, the outer of a received one is handed on") {
  Pair pair;
  pair.connect();
  for (std::uint8_t ecn = 0; ecn < 4; ++ecn) {
    pair.a.send(1, ipv4_packet("10.1.0.5", "10.2.0.5", 100, static_cast<std::uint8_t>(0xb8 | ecn)), pair.now);
    REQUIRE(pair.a.sent.size() == 1);
    CHECK(pair.a.sent[0].ecn == ecn);
    pair.exchange();
    CHECK(pair.b.received.back().ecn == ecn);
  }
}

TEST_CASE("each datagram is accepted once; a changed one never") {
  Pair pair;
  pair.connect();
  pair.a_sends();
  const Datagram data = pair.a.take_sent()[0].bytes;
  for (std::size_t at = 8; at < data.size(); ++at) {
    Datagram changed = data;
    changed[at] ^= 0x40;
    pair.b.receive(changed, pair.a.address, pair.now);
  }
  CHECK(pair.b.received.size() == 1);
  pair.b.receive(data, pair.a.address, pair.now);
  CHECK(pair.b.received.size() == 2);
  pair.b.receive(data, pair.a.address, pair.now);
  CHECK(pair.b.received.size() == 2);
  CHECK(pair.b.dropped(Drop::kReplay) == 1);
}

TEST_CASE("WireGuard 2.1: only an authenticated fresh packet moves a peer") {
  Pair pair;
  pair.connect();
  const SocketAddress spoofed = socket_address("198.51.100.66:666"), moved = socket_address("[2001:db8::77]:4711");
  pair.a_sends();
  const Datagram data = pair.a.take_sent()[0].bytes;
  Datagram forged = data;
  forged.back() ^= 1;
  pair.b.receive(forged, spoofed, pair.now);
  pair.b.receive(data, pair.a.address, pair.now);
  pair.b.receive(data, spoofed, pair.now);  // a replay
  CHECK(pair.b.endpoint->counters({1})->path->remote == pair.a.address);
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 0);
  pair.a_sends();
  pair.b.receive(pair.a.take_sent()[0].bytes, moved, pair.now);
  CHECK(pair.b.endpoint->counters({1})->path->remote == moved);
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 1);
  pair.b_sends();
  CHECK(pair.b.take_sent().at(0).to == moved);
}

TEST_CASE("WireGuard 5.1: a replayed or stale initiation from elsewhere does not move a peer, a fresh one does") {
  Pair pair;
  pair.a_sends();
  const Datagram old = pair.a.sent.at(0).bytes;
  pair.exchange();
  pair.b.receive(old, socket_address("198.51.100.66:666"), pair.now + 1s);
  CHECK(pair.b.endpoint->counters({1})->path->remote == pair.a.address);
}

TEST_CASE("WireGuard 5.4.5: a responder sends nothing under a session the initiator has not confirmed") {
  Pair pair;
  pair.a_sends();
  pair.b.receive(pair.a.take_sent()[0].bytes, pair.a.address, pair.now);
  CHECK(pair.b.take_sent().at(0).bytes.size() == 92);
  pair.b_sends();
  for (const Sent& s : pair.b.take_sent()) CHECK(s.bytes.size() == 148);  // at most a handshake of its own
  CHECK(pair.b.events_of(EventKind::kTunnelUp) == 0);
}

TEST_CASE("WireGuard 6.2: a session is of no use after 180 s, in either direction") {
  Pair pair;
  pair.connect();
  pair.now += 179s;
  pair.b_sends();
  pair.b_sends();
  auto sent = pair.b.take_sent();
  REQUIRE(sent.size() == 2);
  const Datagram late = sent[1].bytes;
  pair.a.receive(sent[0].bytes, pair.b.address, pair.now);
  CHECK(pair.a.received.size() == 1);
  // A receiver near the end asks for a new session, once.
  CHECK(pair.a.take_sent().at(0).bytes.size() == 148);
  pair.now += 1s;
  pair.a.receive(late, pair.b.address, pair.now);
  CHECK(pair.a.received.size() == 1);
  CHECK(pair.a.dropped(Drop::kNoSession) == 1);
  pair.b_sends();
  CHECK(pair.b.take_sent().at(0).bytes.size() == 148);
}

//   a (initiator)               b
//   |<======== data each 1 s =====|
//   |-- keepalive each 10 s ----->|   the one after 120 s renews
TEST_CASE("WireGuard 6.2: an initiator that only receives data renews by the keepalives it answers with") {
  Pair pair;
  pair.connect();
  Network network(pair, {});
  std::optional<Instant> renewed;
  for (int i = 0; i < 600; ++i) {
    pair.b_sends();
    network.run(pair.now + 1s);
    if (!renewed && pair.a.endpoint->counters({1})->handshakes == 2) renewed = pair.now;
  }
  REQUIRE(renewed);
  CHECK(*renewed >= kStart + kRekeyAfterTime);
  CHECK(*renewed <= kStart + kRekeyAfterTime + kKeepaliveTimeout + 1s);
  CHECK(pair.a.received.size() == 600);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) == 0);
  CHECK(pair.b.endpoint->counters({1})->handshakes == pair.a.endpoint->counters({1})->handshakes);
}

TEST_CASE("WireGuard 6.2: an initiator that only receives keepalives renews 15 s before the end, and once") {
  Pair pair;
  pair.connect();
  pair.a_at_b.persistent_keepalive = 5s;
  pair.b.set_peer(pair.a_at_b, pair.now);
  Network network(pair, {});
  network.run(kStart + 164s);
  CHECK(pair.a.endpoint->counters({1})->handshakes == 1);
  network.run(kStart + 171s);
  CHECK(pair.a.endpoint->counters({1})->handshakes == 2);
  network.run(kStart + 320s);
  CHECK(pair.a.endpoint->counters({1})->handshakes == 2);
  network.run(kStart + 600s);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) + pair.b.events_of(EventKind::kTunnelDown) == 0);
}

TEST_CASE("WireGuard 6.2: a responder does not renew by age") {
  Pair pair;
  pair.connect();
  pair.now += 130s;
  pair.b_sends();
  for (const Sent& s : pair.b.take_sent()) CHECK(s.bytes.size() != 148);
}

TEST_CASE("WireGuard 6.3: the tunnel goes down at 180 s and its keys are gone after 540 s") {
  Pair pair;
  pair.connect();
  pair.a.run(pair.now + 179s);
  pair.a.take_sent();
  CHECK(pair.a.events_of(EventKind::kTunnelDown) == 0);
  pair.a.run(pair.now + 181s);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) == 1);
  CHECK_FALSE(pair.a.endpoint->counters({1})->up);
  pair.b_sends();
  const Datagram data = pair.b.take_sent().at(0).bytes;
  pair.a.receive(data, pair.b.address, pair.now + 539s);
  CHECK(pair.a.dropped(Drop::kNoSession) == 1);
  pair.a.run(pair.now + 600s);
  pair.a.receive(data, pair.b.address, pair.now + 600s);
  CHECK(pair.a.dropped(Drop::kUnknownReceiver) == 1);
}

TEST_CASE("WireGuard 6.5: one keepalive 10 s after data that was not answered") {
  Pair pair;
  pair.connect();
  pair.a_sends();
  pair.exchange();
  pair.b.run(pair.now + 9999ms);
  CHECK(pair.b.sent.empty());
  pair.b.run(pair.now + 10s);
  CHECK(pair.b.sent.size() == 1);
  CHECK(pair.b.sent.at(0).bytes.size() == 32);
  pair.exchange();
  pair.a.run(pair.now + 60s);  // a keepalive is never answered, and stops the search for a new handshake
  CHECK(pair.a.sent.empty());
}

TEST_CASE("WireGuard 6.5: silence for 15 s after data begins a new handshake") {
  Pair pair;
  pair.connect();
  pair.a_sends();
  pair.a.take_sent();
  pair.a.run(pair.now + 14999ms);
  CHECK(pair.a.sent.empty());
  pair.a.run(pair.now + 15s + 334ms);
  CHECK(pair.a.sent.at(0).bytes.size() == 148);
}

TEST_CASE("WireGuard 6.4: retries each 5 s and jitter, gives up after 90 s and drops what waited") {
  Pair pair;
  pair.a_sends();
  Instant last = pair.now;
  std::size_t tries = 1;
  pair.a.take_sent();
  while (pair.a.events_of(EventKind::kHandshakeGaveUp) == 0) {
    const Instant next = *pair.a.endpoint->next_deadline();
    pair.a.on_deadline(next);
    if (pair.a.take_sent().empty()) continue;
    CHECK(next - last >= 5s);
    CHECK(next - last <= 5334ms);
    last = next;
    ++tries;
  }
  CHECK((tries == 17 || tries == 18));
  CHECK(last - pair.now <= 90s);
  CHECK(pair.a.dropped(Drop::kNoSession) == 1);
  pair.a.run(pair.now + 1h);
  CHECK(pair.a.sent.empty());
}

TEST_CASE("persistent keepalive goes out each interval of silence") {
  Pair pair;
  pair.connect();
  pair.b_at_a.persistent_keepalive = 25s;
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.b_sends();
  pair.exchange();
  pair.a.run(pair.now + 60s);
  CHECK(pair.a.sent.size() == 3);  // the answer to data at 10 s, then at 35 s and 60 s
  for (const Sent& s : pair.a.sent) CHECK(s.bytes.size() == 32);
}

TEST_CASE("128 packets wait for a session, the oldest give way, all leave in order") {
  Pair pair;
  for (std::size_t i = 0; i < 130; ++i) pair.a_sends(100 + i);
  CHECK(pair.a.dropped(Drop::kQueueFull) == 2);
  pair.exchange();
  REQUIRE(pair.b.received.size() == 128);
  for (std::size_t i = 0; i < 128; ++i) CHECK(pair.b.received[i].bytes.size() == 102 + i);
}

TEST_CASE("changing a peer keeps its session, changing its keys ends it") {
  Pair pair;
  pair.connect();
  pair.a_at_b.allowed.push_back(prefix("10.9.0.0/24"));
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.a.send(1, ipv4_packet("10.9.0.1", "10.2.0.5", 100), pair.now);
  pair.exchange();
  CHECK(pair.b.received.size() == 2);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 0);
  pair.a_at_b.preshared_key = "psk";
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 1);
  pair.a_sends();
  pair.exchange();
  CHECK(pair.b.received.size() == 2);
  CHECK(pair.b.dropped(Drop::kUnknownReceiver) == 1);
  pair.b.remove_peer(1, pair.now);
  pair.b_sends();
  CHECK(pair.b.dropped(Drop::kUnknownDestination) == 1);
}

TEST_CASE("packets that still want segmentation or a checksum are refused") {
  Pair pair;
  Datagram packet = ipv4_packet("10.1.0.5", "10.2.0.5", 3000);
  tunnel::wire::InnerPacket inner{{1}, packet, {}};
  inner.segmentation.kind = tunnel::wire::Segmentation::Kind::kTcpV4;
  pair.a.endpoint->send(inner, pair.now, pair.a.out);
  inner.segmentation = {};
  inner.segmentation.needs_checksum = true;
  pair.a.endpoint->send(inner, pair.now, pair.a.out);
  CHECK(pair.a.out.drops.of(Drop::kInnerMalformed) == 2);
}
