// ESP as it likes the way: plain where no NAT is, in UDP 4500 else; and sockets that are handed over anew.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scripted_peer.h"

using namespace ike_sim;

namespace {

// Both ends have a socket of protocol 50.
struct PlainPair : Pair {
  PlainPair() {
    for (Node* node : {&a, &b}) node->endpoint->set_doors(node->doors(true), {node->address});
    keep_seen = true;
  }
  void both_send() {
    seen.clear();
    a_sends(), b_sends();
    run(now + 1s);
  }
  // Datagrams of ESP that left for this port; 0: protocol 50.
  [[nodiscard]] std::size_t esp_to(std::uint16_t port) const {
    return static_cast<std::size_t>(std::ranges::count_if(seen, [&](const Sent& s) {
      return s.to.port == port && s.bytes.size() > 4 && s.bytes[0] + s.bytes[1] + s.bytes[2] + s.bytes[3] > 0;
    }));
  }
};

// The address and port a is seen with.
const SocketAddress kMapped{*tunnel::wire::IpAddress::parse("192.0.2.99"), 61000};

void put_a_behind_nat(Pair& pair) {
  pair.middle = [&pair](Sent& s) {
    if (s.from.address == pair.a.address) s.from.address = kMapped.address;
    if (s.to.address == kMapped.address) s.to.address = pair.a.address;
    return true;
  };
}

}  // namespace

// RFC 7296 2.23.
TEST_CASE("ike doors: without a NAT ESP is plain, both ways") {
  PlainPair pair;
  pair.connect();
  REQUIRE(pair.up());
  pair.both_send();
  CHECK(pair.esp_to(0) == 2);
  CHECK(pair.esp_to(4500) == 0);
  CHECK(pair.a.received.size() == 1);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("ike doors: with a NAT ESP goes in UDP, both ways") {
  PlainPair pair;
  put_a_behind_nat(pair);
  pair.connect();
  REQUIRE(pair.up());
  pair.both_send();
  CHECK(pair.esp_to(0) == 0);
  CHECK(pair.esp_to(4500) == 2);
  CHECK(pair.a.received.size() == 1);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("ike doors: one end can force UDP, the beginning one and the answering one") {
  for (const bool begins : {true, false}) {
    PlainPair pair;
    (begins ? pair.b_at_a : pair.a_at_b).force_encapsulation = true;
    pair.connect();
    REQUIRE(pair.up());
    pair.both_send();
    CHECK(pair.esp_to(0) == 0);
    CHECK(pair.esp_to(4500) == 2);
    CHECK(pair.a.received.size() + pair.b.received.size() == 2);
  }
}

TEST_CASE("ike doors: a facility that forces UDP does not force it upon another") {
  PlainPair pair;
  auto other = Pair::peer("b.example", "c.example", "10.2.0.0/24", "10.3.0.0/24");
  other.id = {2};
  other.force_encapsulation = true;
  other.outer_sources = {*Prefix::parse("203.0.113.0/24")};
  pair.b.set_peer(other, pair.now);
  pair.connect();
  REQUIRE(pair.up());
  pair.both_send();
  CHECK(pair.esp_to(0) == 2);
}

// RFC 7296 2.23: both forms at any time; only one end has the socket here.
TEST_CASE("ike doors: each end may send in its own form") {
  PlainPair pair;
  pair.b.endpoint->set_doors(pair.b.doors(false), {pair.b.address});
  pair.connect();
  REQUIRE(pair.up());
  pair.seen.clear();
  pair.b_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.esp_to(4500) == 1);
  CHECK(pair.a.received.size() == 1);
}

// RFC 7296 2.23: who never spoke of NATs has no ESP in UDP, so none is taken for it; plain is looked at.
TEST_CASE("ike doors: ESP in UDP is not taken from a peer without NAT detection") {
  Node node(22, "192.0.2.2");
  node.endpoint->set_doors(node.doors(true), {node.address});
  node.keyd.keys["psk"] = Datagram(32, 7);
  node.set_peer(Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24"), kStart);
  ScriptedPeer peer(node, kStart);  // sends no NAT_DETECTION_*_IP
  peer.init();
  peer.ask(ike::Exchange::kAuth, peer.auth());
  REQUIRE(node.counters().up);
  Datagram packet(80, 1);
  for (std::size_t i = 0; i < 4; ++i) packet[i] = static_cast<std::uint8_t>(peer.their_esp >> (24 - 8 * i));
  node.receive(packet, {peer.from.address, 4500}, 4500, kStart);
  CHECK(node.drops.of(Drop::kUnknownReceiver) == 1);
  CHECK(node.drops.of(Drop::kForged) == 0);
  node.receive(packet, {peer.from.address, 0}, 0, kStart);
  CHECK(node.drops.of(Drop::kForged) == 1);
}

TEST_CASE("ike doors: plain ESP from outside the peer's own addresses, or of no SA, is dropped") {
  PlainPair pair;
  pair.a_at_b.outer_sources = {*Prefix::parse("192.0.2.1/32")};
  pair.connect();
  REQUIRE(pair.up());
  pair.middle = [](Sent& s) {
    s.from.address = kMapped.address;
    return true;
  };
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.b.received.empty());
  const auto before = pair.b.drops.of(Drop::kUnknownReceiver);
  CHECK(before == 1);
  pair.b.receive(Datagram(80, 0x33), {pair.a.address, 0}, 0, pair.now);
  pair.b.receive(Datagram(3, 0x33), {pair.a.address, 0}, 0, pair.now);
  pair.b.receive({}, {pair.a.address, 0}, 0, pair.now);
  CHECK(pair.b.drops.of(Drop::kUnknownReceiver) == before + 3);
}

TEST_CASE("ike doors: sockets with other numbers are used by what stands") {
  PlainPair pair;
  pair.connect();
  REQUIRE(pair.up());
  using Kind = ike::Door::Kind;
  const auto family = pair.a.address.family();
  pair.a.endpoint->set_doors({{7, family, 0, Kind::kEsp, {}}, {8, family, 4500, Kind::kNat, {}}}, {pair.a.address});
  tunnel::wire::Outputs out;
  Datagram packet = sim::ipv4_packet("10.1.0.5", "10.2.0.5", 100);
  pair.a.endpoint->send({{1}, packet, {}}, pair.now, out);
  REQUIRE(out.transmits.size() == 1);
  CHECK(out.transmits.front().path.socket == 7);
  CHECK(out.transmits.front().path.remote.port == 0);
  out.clear();
  pair.a.endpoint->on_deadline(pair.now + 40s, out);  // asks whether the peer lives
  REQUIRE_FALSE(out.transmits.empty());
  CHECK(out.transmits.front().path.socket == 8);
  pair.a.endpoint->set_doors({}, {});
  out.clear();
  pair.a.endpoint->on_deadline(pair.now + 42s, out);
  CHECK(out.transmits.empty());
}

TEST_CASE("ike doors: a socket bound to the local address is chosen before the others") {
  Pair pair;
  using Kind = ike::Door::Kind;
  const auto family = pair.a.address.family();
  const auto other = *tunnel::wire::IpAddress::parse("198.51.100.9");
  pair.a.endpoint->set_doors({{4, family, 500, Kind::kPlain, other}, {0, family, 500, Kind::kPlain, pair.a.address}},
                             {pair.a.address, other});
  pair.connect(1s);
  CHECK(pair.up());
  CHECK(pair.a.counters().path->local == pair.a.address);
}

TEST_CASE("ike doors: key requests count from where the caller says") {
  ike::EndpointParams params;
  params.first_key_request = std::uint64_t{1} << 63;
  Pair pair({}, params);
  pair.a.hold_keys = true;
  pair.connect(1s);
  REQUIRE(pair.a.held.size() == 1);
  CHECK(pair.a.held.front().id == std::uint64_t{1} << 63);
}
