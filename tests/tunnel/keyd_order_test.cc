// keyd answers late, in another order, or for what is past: WireGuard 5.4.2 and 5.4.3 cut into steps must not mind.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"

using namespace sim;

namespace {

void answer(Node& node, KeyRequest& request, Instant now) {
  const KeyReply reply = node.keyd.answer(request);
  node.endpoint->on_key_reply(reply, now, node.out);
  node.on_deadline(now);  // takes what was put out
}

// Answers all but the last request that is held, until `count` are left that belong to preshared keys.
void answer_until_psk(Node& node, Instant now) {
  for (bool moved = true; moved;) {
    moved = false;
    for (KeyRequest& request : std::exchange(node.held, {})) {
      if (request.operation == KeyRequest::Operation::kMixPsk) {
        node.held.push_back(std::move(request));
      } else {
        answer(node, request, now);
        moved = true;
      }
    }
  }
}

std::vector<Datagram> two_initiations(Pair& pair) {
  std::vector<Datagram> all;
  for (int i = 0; i < 2; ++i) {
    pair.a_sends();
    all.push_back(pair.a.take_sent().at(0).bytes);
    if (i == 0) pair.now += 5s;
  }
  return all;
}

}  // namespace

//   a                          b                 keyd of b
//   |-- initiation 1 --------->|-- psk for 1 -------->|
//   |-- initiation 2 --------->|-- psk for 2 -------->|
//   |                          |<------ for 2 --------|
//   |<-- response 2 -----------|<------ for 1 --------|   dropped: a has forgotten 1
TEST_CASE("WireGuard 5.4.3: the answer for an earlier initiation does not push out the later session") {
  Pair pair("psk");
  const auto initiations = two_initiations(pair);
  pair.b.hold_keys = true;
  for (const Datagram& initiation : initiations) {
    pair.b.receive(initiation, pair.a.address, pair.now);
    pair.now += 50ms;
    answer_until_psk(pair.b, pair.now);
  }
  REQUIRE(pair.b.held.size() == 2);
  auto held = std::exchange(pair.b.held, {});
  answer(pair.b, held[1], pair.now);
  answer(pair.b, held[0], pair.now);
  CHECK(pair.b.dropped(Drop::kStaleTimestamp) == 1);
  pair.b.hold_keys = false;
  pair.exchange();
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
  CHECK(pair.b.events_of(EventKind::kTunnelUp) == 1);
}

TEST_CASE("WireGuard 5.4.3: an answer for a call of ours that was replaced meanwhile goes nowhere") {
  Pair pair("psk");
  pair.a_sends();
  pair.b.receive(pair.a.take_sent().at(0).bytes, pair.a.address, pair.now);
  const Datagram response = pair.b.take_sent().at(0).bytes;
  pair.now += 4900ms;
  pair.a.hold_keys = true;
  pair.a.receive(response, pair.b.address, pair.now);
  REQUIRE(pair.a.held.size() == 1);
  auto late = std::move(pair.a.held[0]);
  pair.a.held.clear();
  pair.now += 600ms;
  pair.a.on_deadline(pair.now);  // the retry
  REQUIRE(pair.a.held.size() == 1);
  pair.a.answer_held(pair.now);
  const Datagram second = pair.a.take_sent().at(0).bytes;
  REQUIRE(second.size() == 148);
  answer(pair.a, late, pair.now);
  pair.a.answer_held(pair.now);  // the preshared key for the late one
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 0);
  CHECK(pair.a.dropped(Drop::kUnknownReceiver) == 1);
  pair.a.hold_keys = false;
  pair.b.receive(second, pair.a.address, pair.now);  // and the later call is as good as ever
  pair.exchange();
  CHECK(pair.a.events_of(EventKind::kTunnelUp) == 1);
}

TEST_CASE("an answer that comes twice, or that nobody asked for, changes nothing") {
  Pair pair("psk");
  pair.a.hold_keys = true;
  pair.a_sends();
  REQUIRE(pair.a.held.size() == 1);
  auto request = std::move(pair.a.held[0]);
  pair.a.held.clear();
  answer(pair.a, request, pair.now);
  CHECK(pair.a.take_sent().size() == 1);
  answer(pair.a, request, pair.now);
  request.id = 12345;
  answer(pair.a, request, pair.now);
  request.id = 12346;
  answer(pair.a, request, pair.now);
  CHECK(pair.a.sent.empty());
}

TEST_CASE("a wrong answer of keyd makes no session") {
  Pair pair("psk");
  pair.b.hold_keys = true;
  pair.connect();
  REQUIRE(pair.b.held.size() == 1);
  KeyReply reply;
  reply.id = pair.b.held[0].id;
  reply.good = true;  // and all zero
  pair.b.endpoint->on_key_reply(reply, pair.now, pair.b.out);
  pair.b.on_deadline(pair.now);
  CHECK(pair.b.dropped(Drop::kForged) == 1);
  CHECK(pair.b.sent.empty());
}
