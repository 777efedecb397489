// Under load: WireGuard 5.3 and 5.4.7. The cases are those VPP's tests name: cookie sent on initiation and on response,
// cookie received on both, the interval ends, per-peer and multi-peer rate limits, and a forged or unasked reply.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/cookie.h"

using namespace sim;

namespace {

// Fills a node's load gauge: 512 initiations that keyd has not answered.
void put_under_load(Node& node, const Datagram& initiation, Instant now) {
  node.hold_keys = true;
  for (int i = 0; i < 512; ++i) node.receive(initiation, socket_address("203.0.113.99:1"), now);
  node.held.clear();
  node.hold_keys = false;
}

Datagram initiation_of(Pair& pair) {
  pair.a_sends();
  return pair.a.take_sent().at(0).bytes;
}

}  // namespace

TEST_CASE("an initiation under load gets a cookie, and the next one with mac2 an answer") {
  Pair pair;
  const Datagram first = initiation_of(pair);
  put_under_load(pair.b, first, pair.now);
  pair.b.receive(first, pair.a.address, pair.now);
  auto sent = pair.b.take_sent();
  REQUIRE(sent.size() == 1);
  REQUIRE(sent[0].bytes.size() == 64);
  CHECK(pair.b.dropped(Drop::kUnderLoad) == 1);
  CHECK(sent[0].bytes.size() < first.size());  // no amplification
  pair.a.receive(sent[0].bytes, pair.b.address, pair.now);
  CHECK(pair.a.dropped(Drop::kForged) == 0);

  pair.now += 5400ms;
  pair.a.on_deadline(pair.now);
  const Datagram second = pair.a.take_sent().at(0).bytes;
  CHECK(Datagram(second.end() - 16, second.end()) != Datagram(16));
  put_under_load(pair.b, second, pair.now);
  pair.b.receive(second, socket_address("192.0.2.1:51821"), pair.now);  // the cookie is bound to address and port
  CHECK(pair.b.take_sent().at(0).bytes.size() == 64);
  pair.b.receive(second, pair.a.address, pair.now);
  sent = pair.b.take_sent();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].bytes.size() == 92);
}

TEST_CASE("a cookie from an address that is not the peer's is not taken up") {
  Pair pair;
  pair.b_at_a.outer_sources = {prefix("192.0.2.0/24")};
  pair.a.set_peer(pair.b_at_a, pair.now);
  const Datagram first = initiation_of(pair);
  put_under_load(pair.b, first, pair.now);
  pair.b.receive(first, pair.a.address, pair.now);
  const Datagram cookie = pair.b.take_sent().at(0).bytes;
  REQUIRE(cookie.size() == 64);
  const auto second_mac2 = [&](const SocketAddress& from) {
    pair.a.receive(cookie, from, pair.now);
    pair.now += 5400ms;
    pair.a.on_deadline(pair.now);
    const Datagram next = pair.a.take_sent().at(0).bytes;
    return Datagram(next.end() - 16, next.end());
  };
  CHECK(second_mac2(socket_address("198.51.100.9:51820")) == Datagram(16));
  CHECK(pair.a.dropped(Drop::kUnknownReceiver) == 1);
}

TEST_CASE("a response under load gets a cookie, and the next one carries mac2") {
  Pair pair;
  const Datagram initiation = initiation_of(pair);
  pair.b.receive(initiation, pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent().at(0).bytes;
  put_under_load(
      pair.a,
      [&] {  // somebody calls a, many times
        Node c(33);
        c.address = socket_address("203.0.113.5:51820");
        PeerParams a_at_c = pair.a_at_b;
        c.set_peer(a_at_c, pair.now);
        c.send(1, ipv4_packet("10.3.0.5", "10.1.0.5", 100), pair.now);
        return c.take_sent().at(0).bytes;
      }(),
      pair.now);
  pair.a.receive(response, pair.b.address, pair.now);
  const auto sent = pair.a.take_sent();
  REQUIRE(sent.size() == 1);
  REQUIRE(sent[0].bytes.size() == 64);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 0);
  pair.b.receive(sent[0].bytes, pair.a.address, pair.now);
  CHECK(pair.b.dropped(Drop::kForged) == 0);

  pair.now += 5400ms;
  pair.a.on_deadline(pair.now);
  pair.b.receive(pair.a.take_sent().at(0).bytes, pair.a.address, pair.now);
  const Datagram second = pair.b.take_sent().at(0).bytes;
  CHECK(Datagram(second.end() - 16, second.end()) != Datagram(16));
  pair.a.receive(second, pair.b.address, pair.now);
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
}

TEST_CASE("the load ends one second after its last sign") {
  Pair pair;
  const Datagram first = initiation_of(pair);
  put_under_load(pair.b, first, pair.now);
  pair.b.on_deadline(pair.now + 5s);  // the unanswered steps are forgotten
  pair.b.receive(first, pair.a.address, pair.now + 5s);
  CHECK(pair.b.take_sent().at(0).bytes.size() == 92);
}

TEST_CASE("under load one source gets 5 at once, another source is not touched") {
  Pair pair;
  const auto with_cookie =
      [&](const SocketAddress& from) {  // asks b for a cookie, as an attacker with an address would
        Pair other;
        const Datagram first = initiation_of(other);
        pair.b.receive(first, from, pair.now);
        other.a.receive(pair.b.take_sent().at(0).bytes, pair.b.address, other.now);
        other.now += 5400ms;
        other.a.on_deadline(other.now);
        return other.a.take_sent().at(0).bytes;
      };
  put_under_load(pair.b, initiation_of(pair), pair.now);
  const SocketAddress one = socket_address("198.51.100.1:1000"), two = socket_address("198.51.100.2:1000");
  const Datagram from_one = with_cookie(one), from_two = with_cookie(two);
  pair.b.hold_keys = true;
  for (int i = 0; i < 20; ++i) pair.b.receive(from_one, one, pair.now);
  CHECK(pair.b.held.size() == 5);
  CHECK(pair.b.dropped(Drop::kRateLimited) == 15);
  for (int i = 0; i < 20; ++i) pair.b.receive(from_two, two, pair.now);
  CHECK(pair.b.held.size() == 10);
}

TEST_CASE("a forged, an unasked and a repeated cookie reply change nothing") {
  Pair pair;
  const Datagram first = initiation_of(pair);
  put_under_load(pair.b, first, pair.now);
  pair.b.receive(first, pair.a.address, pair.now);
  const Datagram cookie = pair.b.take_sent().at(0).bytes;
  for (std::size_t at = 8; at < cookie.size(); ++at) {
    Datagram changed = cookie;
    changed[at] ^= 1;
    pair.a.receive(changed, pair.b.address, pair.now);
  }
  CHECK(pair.a.dropped(Drop::kForged) == 56);
  pair.a.receive(cookie, pair.b.address, pair.now);
  CHECK(pair.a.dropped(Drop::kForged) == 56);
  pair.a.receive(cookie, pair.b.address, pair.now);
  CHECK(pair.a.dropped(Drop::kForged) == 57);
}

TEST_CASE("WireGuard 5.4.7: cookies die with their secret after 120 s, and are not used in their last seconds") {
  using namespace tunnel::wireguard;
  SeededRng rng(5);
  CookieChecker checker(public_of(22));
  CookieJar jar(public_of(22));
  const SocketAddress source = socket_address("192.0.2.1:51820");
  std::array<std::uint8_t, kInitiationSize> message{};
  const auto write = [&](Instant now) {
    tunnel::wire::Writer writer(message);
    writer.zeros(kInitiationSize - kMacsSize);
    jar.append_macs(writer, now);
  };
  write(kStart);
  CHECK(checker.mac1_good(message));
  CHECK_FALSE(checker.mac2_good(message, source, kStart));
  REQUIRE(jar.accept(checker.reply(message, 1, source, kStart, rng), kStart));
  write(kStart + 114s);
  CHECK(checker.mac2_good(message, source, kStart + 114s));
  CHECK(checker.mac2_good(message, source, kStart + 119s));
  CHECK_FALSE(checker.mac2_good(message, source, kStart + 120s));
  write(kStart + 115s);
  CHECK_FALSE(checker.mac2_good(message, source, kStart + 115s));
}
