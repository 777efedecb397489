// Packets that want out before a CHILD SA is there.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scripted_peer.h"

using namespace ike_sim;

namespace {

// a knows where b is and begins when there is something to send.
struct OnDemand : Pair {
  OnDemand() { b_at_a.start = false; }
  void ready() { connect(0s); }
};

}  // namespace

TEST_CASE("ike staged: the first packets begin the tunnel and go through it in order") {
  OnDemand pair;
  pair.ready();
  for (std::size_t i = 0; i < 5; ++i) pair.a_sends(100 + i);
  pair.run(pair.now + 1s);
  REQUIRE(pair.up());
  REQUIRE(pair.b.received.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(pair.b.received[i].size() == 100 + i);
  CHECK(pair.a.drops.of(Drop::kNoSession) == 0);
  CHECK(pair.a.counters().sent_packets == 5);
}

TEST_CASE("ike staged: the answering end keeps its packets too while the first SA is made") {
  Pair pair;
  pair.b.hold_keys = true;
  pair.connect(200ms);
  REQUIRE(pair.b.held.size() == 1);  // the peer's name is known, not yet whether it is the peer
  pair.b_sends();
  CHECK(pair.b.counters().sent_packets == 0);
  pair.b.hold_keys = false;
  pair.b.answer_held(pair.now);
  pair.run(pair.now + 1s);
  CHECK(pair.up());
  CHECK(pair.a.received.size() == 1);
}

TEST_CASE("ike staged: an end that cannot begin keeps nothing") {
  Pair pair;
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.b_sends();
  CHECK(pair.b.drops.of(Drop::kNoSession) == 1);
  CHECK(pair.b.endpoint->take_staged({1}).empty());
}

TEST_CASE("ike staged: 128 wait, the oldest go and are counted; the shell may have them back") {
  OnDemand pair;
  pair.a.set_peer(pair.b_at_a, pair.now);  // nobody answers
  for (std::size_t i = 0; i < 130; ++i) pair.a_sends(100 + i);
  CHECK(pair.a.drops.of(Drop::kQueueFull) == 2);
  const auto staged = pair.a.endpoint->take_staged({1});
  REQUIRE(staged.size() == 128);
  CHECK(staged.front().size() == 102);
  CHECK(pair.a.endpoint->take_staged({1}).empty());
  CHECK(pair.a.endpoint->take_staged({9}).empty());
}

TEST_CASE("ike staged: an attempt that fails takes them with it, and the next one waits its time") {
  OnDemand pair;
  pair.b.keyd.keys["psk"] = Datagram(32, 8);
  pair.ready();
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.a.drops.of(Drop::kNoSession) == 1);
  CHECK(pair.a.endpoint->ike_sas() == 0);
  const std::size_t carried = pair.carried;
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.a.drops.of(Drop::kNoSession) == 2);
  CHECK(pair.carried == carried);
  pair.b.keyd.keys["psk"] = pair.a.keyd.keys["psk"];
  pair.run(pair.now + 10s);
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.b.received.size() == 1);
}

// RFC 7296 1.4.1, 1.3.1.
TEST_CASE("ike staged: after the peer's Delete of the CHILD SA a packet asks for another") {
  for (const bool known : {true, false}) {
    Node node(22, "192.0.2.2");
    node.keyd.keys["psk"] = Datagram(32, 7);
    auto params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
    if (known) params.endpoint = SocketAddress{*tunnel::wire::IpAddress::parse("192.0.2.1"), 500};
    node.set_peer(params, kStart);
    ScriptedPeer peer(node, kStart);
    peer.init();
    peer.ask(ike::Exchange::kAuth, peer.auth());
    REQUIRE(node.counters().up);
    peer.ask(ike::Exchange::kInformational, {peer.deletes({0x11223344})});
    REQUIRE(node.counters().ike_sas == 1);
    REQUIRE_FALSE(node.counters().up);
    node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
    const auto sent = node.take_sent();
    CHECK(sent.size() == (known ? 1 : 0));
    CHECK(node.drops.of(Drop::kNoSession) == (known ? 0 : 1));
    if (!known) continue;
    CHECK(ike::read_header(sent.front().bytes)->exchange == ike::Exchange::kCreateChildSa);
    CHECK(node.endpoint->take_staged({1}).size() == 1);
  }
}

TEST_CASE("ike staged: a removed peer's packets are counted, not sent") {
  OnDemand pair;
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.a_sends();
  pair.a.remove_peer(1, pair.now);
  CHECK(pair.a.drops.of(Drop::kNoSession) == 1);
}
