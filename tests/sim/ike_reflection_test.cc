// Nobody is sent what somebody else asked for: repeated answers, and requests from outside a facility's `source`.
#include <catch2/catch.hpp>

#include "tests/sim/ike_certified_pair.h"
#include "tests/sim/ike_scene.h"

using namespace ike_sim;

namespace {

const SocketAddress kVictim{*tunnel::wire::IpAddress::parse("198.51.100.7"), 53};

std::size_t to_victim(Node& node) {
  const auto sent = node.take_sent();
  return static_cast<std::size_t>(
      std::ranges::count(sent, kVictim.address, [](const Sent& each) { return each.to.address; }));
}

}  // namespace

// RFC 7296 2.6: the cookie proves one address, and the answer kept for it is no other's.
TEST_CASE("ike reflection: a first message repeated from another address is not answered there") {
  Scene scene;
  const bool with_source = GENERATE(true, false);
  if (with_source) scene.params.outer_sources = {*Prefix::parse("192.0.2.1/32")};
  scene.node.set_peer(scene.params, kStart);
  scene.peer.init();
  for (int i = 0; i < 100; ++i) scene.node.receive(scene.peer.first(), kVictim, 500, kStart);
  CHECK(to_victim(scene.node) == 0);
  scene.node.receive(scene.peer.first(), scene.peer.from, 500, kStart);  // its own retransmission
  CHECK(scene.node.take_sent().size() == 1);
}

TEST_CASE(
    "ike reflection: the answer to a request goes to another address only a few times, and never outside `source`") {
  const bool with_source = GENERATE(true, false);
  ike::EndpointParams params;
  params.fragment_size = 200;
  CertifiedPair pair(wish_of("a.example"), wish_of("b.example", authority::rsa_key(2048)), params);
  if (with_source) pair.a_at_b.outer_sources = {*Prefix::parse("192.0.2.1/32")};
  pair.keep_seen = true;
  pair.connect();
  REQUIRE(pair.up());
  const auto first = std::ranges::find_if(pair.seen, [&](const Sent& s) {  // a fragment of IKE_AUTH
    const std::size_t marker = s.to.port == 4500 ? 4 : 0;
    return s.from.address == pair.a.address && s.bytes.size() > marker + 19 && s.bytes[marker + 18] == 35;
  });
  REQUIRE(first != pair.seen.end());
  (void)pair.b.take_sent();
  for (int i = 0; i < 1000; ++i) pair.b.receive(first->bytes, kVictim, first->to.port, pair.now);
  const std::size_t once = [&] {
    pair.b.receive(first->bytes, first->from, first->to.port, pair.now);
    const auto sent = pair.b.take_sent();
    const auto reflected = std::ranges::count(sent, kVictim.address, [](const Sent& each) { return each.to.address; });
    CHECK(reflected <= (with_source ? 0 : static_cast<std::ptrdiff_t>(4 * (sent.size() - reflected))));
    return sent.size() - static_cast<std::size_t>(reflected);
  }();
  CHECK(once > 1);  // its own retransmission brings all of it
}

TEST_CASE("ike reflection: an authenticated request from outside `source` is not heard") {
  Scene scene;
  scene.params.outer_sources = {*Prefix::parse("192.0.2.1/32")};
  scene.up();
  const SocketAddress own = std::exchange(scene.peer.from, kVictim);
  CHECK(scene.peer.ask(ike::Exchange::kInformational, {}) == "silence");
  scene.peer.from = own;
  CHECK(scene.node.drops.of(tunnel::wire::Drop::kUnknownReceiver) == 1);
}
