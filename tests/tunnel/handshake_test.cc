// The handshake in both roles: WireGuard 5.4.2 and 5.4.3, with and without preshared key, and everything that must not
// pass.
#include <catch2/catch.hpp>

#include "tests/sim/network.h"
#include "tunnel/wireguard/failure.h"

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

// As anybody can who knows the receiver's public key.
void put_mac1(Datagram& message, const PublicKey& receiver) {
  const std::string label = "mac1----";
  const auto key =
      tunnel::crypto::blake2s({{reinterpret_cast<const std::uint8_t*>(label.data()), label.size()}, receiver});
  const auto mac = tunnel::crypto::blake2s_mac(key, std::span(message).first(message.size() - 32));
  std::ranges::copy(mac, message.end() - 32);
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

// The paper mixes an all-zero key where there is none: "none" here and such a key there are the same thing.
TEST_CASE("WireGuard 5.2: no preshared key is an all-zero one") {
  Pair pair;
  pair.b.keyd.keys["zero"] = key_of(0);
  pair.a_at_b.preshared_key = "zero";
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.connect();
  CHECK(pair.b.received.size() == 1);
  pair.b.keyd.keys["zero"] = key_of(1);
  pair.now += 121s;
  pair.a_sends();  // and its handshake with any other fails
  pair.exchange();
  CHECK(pair.a.dropped(Drop::kForged) == 1);
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

TEST_CASE("WireGuard 5.4: every other length of every message is malformed") {
  Pair pair;
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  pair.b.receive(initiation, pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent()[0].bytes;
  Datagram cookie(64), keepalive(32);
  cookie[0] = 3;
  keepalive[0] = 4;
  std::uint64_t malformed = pair.b.dropped(Drop::kMalformed);
  const auto is_malformed = [&](const Datagram& bytes) {
    pair.b.receive(bytes, pair.a.address, pair.now);
    return std::exchange(malformed, pair.b.dropped(Drop::kMalformed)) + 1 == malformed;
  };
  for (const Datagram& whole : {initiation, response, cookie}) {
    CHECK_FALSE(is_malformed(whole));
    for (std::size_t size = 0; size < 200; ++size) {
      Datagram other = whole;
      other.resize(size);
      if (size != whole.size()) REQUIRE(is_malformed(other));
    }
  }
  CHECK_FALSE(is_malformed(keepalive));
  keepalive.pop_back();
  CHECK(is_malformed(keepalive));
  for (std::size_t reserved : {1u, 2u, 3u}) {
    Datagram other = initiation;
    other[reserved] = 1;
    CHECK(is_malformed(other));
  }
  CHECK(is_malformed({5, 0, 0, 0}));
}

TEST_CASE("WireGuard 5.4.4: a wrong mac1 costs no key request") {
  Pair pair;
  pair.a_sends();
  Datagram initiation = pair.a.take_sent()[0].bytes;
  for (std::size_t at = 0; at < 132; ++at) {
    if (at < 4) continue;  // the type: malformed
    Datagram changed = initiation;
    changed[at] ^= 1;
    pair.b.receive(changed, pair.a.address, pair.now);
  }
  CHECK(pair.b.dropped(Drop::kBadMac) == 128);
  CHECK(pair.b.keyd.asked == 0);
  CHECK(pair.b.sent.empty());
  pair.b.receive(initiation, pair.a.address, pair.now);  // and the right one does cost
  CHECK(pair.b.keyd.asked == 2);
}

TEST_CASE("WireGuard 5.1: a replayed initiation is refused") {
  Pair pair;
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  pair.b.receive(initiation, pair.a.address, pair.now);
  CHECK(pair.b.take_sent().size() == 1);
  pair.b.receive(initiation, pair.a.address, pair.now + 10s);
  CHECK(pair.b.sent.empty());
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 1);
}

TEST_CASE("a replayed initiation costs keyd nothing") {
  Pair pair("psk");
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  pair.b.receive(initiation, pair.a.address, pair.now);
  CHECK(pair.b.keyd.asked == 3);
  for (int i = 0; i < 100; ++i) pair.b.receive(initiation, pair.a.address, pair.now + 10s);
  CHECK(pair.b.keyd.asked == 3);
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 100);
}

// Another initiation with the ephemeral key of a true one is a forgery, and must not shut the true one out.
TEST_CASE("only an authentic initiation is remembered") {
  Pair pair;
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  for (const std::size_t at : {40u, 88u}) {  // the sealed static key, the sealed timestamp
    Datagram forged = initiation;
    forged[at] ^= 1;
    put_mac1(forged, public_of(22));
    pair.b.receive(forged, pair.a.address, pair.now);
  }
  CHECK(pair.b.dropped(Drop::kForged) == 2);
  pair.b.receive(initiation, pair.a.address, pair.now);
  CHECK(pair.b.take_sent().size() == 1);
}

TEST_CASE("WireGuard 5.1: a peer whose clock went back is refused and told of") {
  Pair pair;
  pair.connect();
  pair.now += 10s;
  Node earlier(11, [] {
    EndpointParams params;
    params.wall_now = kWallStart - 1h;
    return params;
  }());
  earlier.address = pair.a.address;
  earlier.set_peer(pair.b_at_a, pair.now);
  earlier.send(1, ipv4_packet("10.1.0.5", "10.2.0.5", 100), pair.now);
  (void)earlier.take_sent();  // drawn from the same dice as the first of a
  earlier.run(pair.now + 6s);
  pair.b.receive(earlier.take_sent().at(0).bytes, pair.a.address, pair.now + 6s);
  CHECK(pair.b.sent.empty());
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 1);
  CHECK(pair.b.events_of(EventKind::kHandshakeFailed) == 1);
}

// The initiation says nothing of the preshared key: only the memory of its timestamp refuses it.
TEST_CASE("WireGuard 5.1: a replay stays one through every change that keeps the peer's key") {
  Pair pair;
  pair.connect();
  pair.now += 10s;
  pair.a.endpoint->set_wall_time(kWallStart + 10s, pair.now);
  pair.a.remove_peer(1, pair.now);
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.a_sends();
  const Datagram held_back = pair.a.take_sent().at(0).bytes;  // never seen, but older than the last that was
  pair.now += 5s;
  pair.a_sends();
  const Datagram last = pair.a.take_sent().at(0).bytes;
  pair.b.receive(last, pair.a.address, pair.now);
  REQUIRE(pair.b.take_sent().size() == 1);
  pair.b.keyd.keys["psk"] = key_of(98);
  SECTION("another preshared key") {
    pair.a_at_b.preshared_key = "psk";
    pair.b.set_peer(pair.a_at_b, pair.now);
  }
  SECTION("other outer sources") {
    pair.a_at_b.outer_sources = {prefix("198.51.100.0/24")};
    pair.b.set_peer(pair.a_at_b, pair.now);
    pair.a_at_b.outer_sources.clear();
    pair.b.set_peer(pair.a_at_b, pair.now);
  }
  SECTION("removed and added") {
    pair.b.remove_peer(1, pair.now);
    pair.b.set_peer(pair.a_at_b, pair.now);
  }
  SECTION("under another number") {
    pair.a_at_b.id = {7};
    pair.b.set_peer(pair.a_at_b, pair.now);
  }
  SECTION("another key, and back") {
    pair.a_at_b.public_key = public_of(33);
    pair.b.set_peer(pair.a_at_b, pair.now);
    pair.a_at_b.public_key = public_of(11);
    pair.b.set_peer(pair.a_at_b, pair.now);
  }
  pair.b.receive(last, pair.a.address, pair.now + 1s);
  pair.b.receive(held_back, pair.a.address, pair.now + 2s);
  CHECK(pair.b.sent.empty());
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 2);
}

TEST_CASE("at most 50 initiations a second from one peer") {
  Pair pair;
  std::vector<Datagram> initiations;
  for (int i = 0; i < 3; ++i) {
    pair.a_sends();
    initiations.push_back(pair.a.take_sent()[0].bytes);
    pair.now += 5s;
  }
  pair.b.receive(initiations[0], pair.a.address, pair.now);
  pair.b.receive(initiations[1], pair.a.address, pair.now + 19ms);
  CHECK(pair.b.dropped(Drop::kRateLimited) == 1);
  pair.b.receive(initiations[2], pair.a.address, pair.now + 20ms);
  CHECK(pair.b.take_sent().size() == 2);
}

TEST_CASE("a wrong or missing preshared key never makes a session") {
  const bool missing = GENERATE(false, true);
  Pair pair("psk");
  if (missing) {
    pair.a_at_b.preshared_key.clear();
    pair.b.set_peer(pair.a_at_b, pair.now);
  } else {
    pair.b.keyd.keys["psk"] = key_of(98);
  }
  pair.connect();
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 0);
  CHECK(pair.b.events_of(EventKind::kTunnelUp) == 0);
  CHECK(pair.b.received.empty());
  CHECK(pair.a.events_of(EventKind::kHandshakeFailed) == 1);
  CHECK(pair.a.dropped(Drop::kForged) == 1);
}

//   a (another preshared key)       b
//   |-- initiation each 5 s --------->|
//   |<----------- response -----------|   which a cannot open
TEST_CASE("another preshared key is told at both ends, with its cause, once a minute") {
  Pair pair("psk");
  pair.b.keyd.keys["psk"] = key_of(98);
  const auto details = [](const Node& node) {
    std::vector<std::string> all;
    for (const auto& event : node.events)
      if (event.kind == EventKind::kHandshakeFailed) all.push_back(event.detail);
    return all;
  };
  Network network(pair, {});
  pair.a_sends();
  network.run(kStart + 14s);
  CHECK(details(pair.b).empty());  // it may still be loss
  CHECK(pair.b.endpoint->counters({1})->problem.empty());
  network.run(kStart + 59s);
  REQUIRE(details(pair.a).size() == 1);
  CHECK(details(pair.a)[0] == sentence(Failure::kResponseForged));
  REQUIRE(details(pair.b).size() == 1);
  CHECK(details(pair.b)[0] == sentence(Failure::kNeverConfirmed));
  CHECK(pair.a.endpoint->counters({1})->problem == sentence(Failure::kResponseForged));
  CHECK(pair.b.endpoint->counters({1})->problem == sentence(Failure::kNeverConfirmed));
  network.run(kStart + 89s);
  CHECK(details(pair.a).size() == 2);
  CHECK(details(pair.b).size() == 2);
  pair.b.keyd.keys["psk"] = key_of(99);  // put right: nothing of it stays
  pair.a_sends();
  network.run(kStart + 120s);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
  for (const Node* node : {&pair.a, &pair.b}) {
    CHECK(node->endpoint->counters({1})->problem.empty());
    CHECK_FALSE(node->endpoint->counters({1})->problem_since.has_value());
  }
}

TEST_CASE("responses that are lost now and then are no failure") {
  Pair pair("psk");
  Network network(pair, {.seed = 5, .loss_per_mille = 200, .repeat_per_mille = 0, .delay = 20ms, .spread = {}});
  for (int i = 0; i < 3600; ++i) {
    pair.a_sends();
    network.run(pair.now + 1s);
  }
  CHECK(pair.a.events_of(EventKind::kHandshakeFailed) == 0);
  CHECK(pair.b.events_of(EventKind::kHandshakeFailed) <= 1);  // one of 30 rekeys may lose three responses
}

TEST_CASE("a peer that does not answer is named as the problem") {
  Pair pair;
  pair.a_sends();
  pair.a.run(pair.now + 100s);
  REQUIRE(pair.a.events_of(EventKind::kHandshakeGaveUp) == 1);
  CHECK(pair.a.endpoint->counters({1})->problem == sentence(Failure::kNoAnswer));
}

TEST_CASE("a preshared key that keyd does not have fails on either side") {
  Pair pair("psk");
  (GENERATE(true, false) ? pair.a : pair.b).keyd.keys.erase("psk");
  pair.connect();
  CHECK(pair.b.received.empty());
  CHECK(pair.a.dropped(Drop::kKeyRefused) + pair.b.dropped(Drop::kKeyRefused) == 1);
}

TEST_CASE("an initiation of an unknown key is told, once a second, and not answered") {
  Pair pair;
  pair.b.remove_peer(1, pair.now);
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  for (const auto after : {0ms, 500ms, 1000ms}) pair.b.receive(initiation, pair.a.address, pair.now + after);
  CHECK(pair.b.sent.empty());
  CHECK(pair.b.events_of(EventKind::kUnknownPeer) == 2);
}

TEST_CASE("low-order points are refused: as peer key, as ephemeral of an initiation and of a response") {
  Pair pair;
  PeerParams odd = pair.b_at_a;
  odd.id = {2};
  odd.public_key = PublicKey{1};
  pair.a.set_peer(odd, pair.now);
  pair.a.send(2, ipv4_packet("10.1.0.5", "10.2.0.5", 100), pair.now);
  CHECK(pair.a.sent.empty());
  CHECK(pair.a.dropped(Drop::kKeyRefused) == 1);

  // Macs are not secret: an attacker can put a point of low order under a good mac1.
  const auto with_ephemeral = [](Datagram message, std::size_t at, std::uint8_t receiver) {
    std::fill_n(message.begin() + static_cast<std::ptrdiff_t>(at), 32, std::uint8_t{0});
    put_mac1(message, public_of(receiver));
    return message;
  };
  pair.a_sends();
  const Datagram initiation = pair.a.take_sent()[0].bytes;
  pair.b.receive(with_ephemeral(initiation, 8, 22), pair.a.address, pair.now);
  CHECK(pair.b.dropped(Drop::kKeyRefused) == 1);
  CHECK(pair.b.sent.empty());
  pair.b.receive(initiation, pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent()[0].bytes;
  pair.a.receive(with_ephemeral(response, 12, 11), pair.b.address, pair.now);
  CHECK(pair.a.dropped(Drop::kForged) == 1);
  pair.a.receive(response, pair.b.address, pair.now);  // the true response still completes
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
}

TEST_CASE("a step whose peer was removed or changed meanwhile goes nowhere") {
  Pair pair("psk");
  pair.b.hold_keys = true;
  pair.connect();
  REQUIRE(pair.b.held.size() == 1);
  pair.b.answer_held(pair.now);  // who is calling is now known
  REQUIRE(pair.b.held.size() == 1);
  const bool removed = GENERATE(true, false);
  if (removed) pair.b.remove_peer(1, pair.now);
  pair.a_at_b.preshared_key = "other";
  if (!removed) pair.b.set_peer(pair.a_at_b, pair.now);
  pair.b.answer_held(pair.now);
  CHECK(pair.b.held.empty());
  CHECK(pair.b.sent.empty());
}

TEST_CASE("steps keyd never answers are bounded, the oldest dropped, and forgotten after 5 s") {
  EndpointParams params;
  params.max_pending_handshakes = 2;
  Pair pair("", params);
  pair.b.hold_keys = true;
  for (int i = 0; i < 3; ++i) {
    pair.a_sends();
    for (const Sent& s : pair.a.take_sent()) pair.b.receive(s.bytes, pair.a.address, pair.now);
    pair.now += 5s;
  }
  CHECK(pair.b.held.size() == 3);
  CHECK(pair.b.dropped(Drop::kQueueFull) == 1);
  pair.b.on_deadline(pair.now + 1s);
  CHECK(pair.b.dropped(Drop::kKeyRefused) == 2);
  pair.b.answer_held(pair.now + 1s);
  CHECK(pair.b.sent.empty());
}

TEST_CASE("WireGuard 5.1: a timestamp equal to the greatest is a replay, also with another ephemeral key") {
  Pair pair;
  const auto initiation_at = [&](WallTime wall, std::uint64_t seed) {  // of A as it starts anew with that clock
    SeededRng rng(seed);
    tunnel::wireguard::EndpointParams params;
    params.private_key = "own";
    params.public_key = public_of(11);
    params.wall_now = wall;
    Node again(11);
    again.address = pair.a.address;
    again.endpoint = std::make_unique<tunnel::wireguard::Endpoint>(params, rng, kStart);
    again.set_peer(pair.b_at_a, pair.now);
    again.send(1, sim::ipv4_packet("10.1.0.5", "10.2.0.5", 100), pair.now);
    return again.take_sent().at(0).bytes;
  };
  const Datagram first = initiation_at(kWallStart, 1), equal = initiation_at(kWallStart, 2);
  const Datagram later = initiation_at(kWallStart + 1h, 3);
  REQUIRE(first != equal);
  for (const Datagram& bytes : {first, equal}) {
    pair.now += std::chrono::seconds(1);
    pair.b.receive(bytes, pair.a.address, pair.now);
  }
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 1);
  pair.now += std::chrono::seconds(1);
  pair.b.receive(later, pair.a.address, pair.now);
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 1);
}
