// CREATE_CHILD_SA and INFORMATIONAL between two of our endpoints: rekeying from either side and from both at once,
// Delete, liveness. Packets run all the while; none may be lost or come twice on a network that loses nothing.
#include <catch2/catch.hpp>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

namespace {

ike::Lifetimes lives(tunnel::wire::Duration ike_life, tunnel::wire::Duration child_life) {
  ike::Lifetimes lifetimes;
  lifetimes.ike = ike_life;
  lifetimes.child = child_life;
  return lifetimes;
}

// Sends numbered packets both ways every `gap` for `span`; true when each arrived once and in order.
void run_with_packets(Pair& pair, tunnel::wire::Duration span, tunnel::wire::Duration gap) {
  pair.a.received.clear(), pair.b.received.clear();
  const Instant end = pair.now + span;
  std::size_t number = 0;
  std::vector<Datagram> to_a, to_b;
  while (pair.now < end) {
    Datagram there = sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), back = sim::ipv4_packet("10.2.0.5", "10.1.0.5", 60);
    for (std::size_t i = 0; i < 4; ++i) there[56 + i] = back[56 + i] = static_cast<std::uint8_t>(number >> (8 * i));
    ++number;
    to_b.push_back(there), to_a.push_back(back);
    pair.a.send(there, pair.now);
    pair.b.send(back, pair.now);
    pair.run(pair.now + gap);
  }
  pair.run(pair.now + 1s);
  CHECK((pair.a.received == to_a));
  CHECK((pair.b.received == to_b));
}

void check_settled(Pair& pair) {
  for (const Node* node : {&pair.a, &pair.b}) {
    CHECK(node->counters().up);
    CHECK(node->counters().ike_sas == 1);
    CHECK(node->counters().child_sas == 1);
    CHECK(node->events_of(EventKind::kTunnelDown) == 0);
    CHECK(node->events_of(EventKind::kHandshakeFailed) == 0);
    CHECK(node->events_of(EventKind::kHandshakeGaveUp) == 0);
  }
}

std::size_t rekeyed(const Node& node) {
  return static_cast<std::size_t>(
      std::ranges::count_if(node.events, [](const auto& e) { return e.detail.starts_with("IKE SA rekeyed"); }));
}

}  // namespace

TEST_CASE("ike: either side rekeys the CHILD SA and no packet is lost") {
  for (const bool a_rekeys : {true, false}) {
    Pair pair;
    (a_rekeys ? pair.b_at_a : pair.a_at_b).lifetimes = lives(8h, 10s);
    pair.connect(1s);
    run_with_packets(pair, 100s, 50ms);
    CHECK(pair.a.counters().handshakes >= 9);
    check_settled(pair);
  }
}

TEST_CASE("ike: either side rekeys the IKE SA and no packet is lost") {
  for (const bool a_rekeys : {true, false}) {
    Pair pair;
    (a_rekeys ? pair.b_at_a : pair.a_at_b).lifetimes = lives(10s, 1h);
    pair.connect(1s);
    run_with_packets(pair, 100s, 50ms);
    CHECK(rekeyed(pair.a) >= 8);
    CHECK(rekeyed(pair.a) == rekeyed(pair.b));
    pair.run(pair.now + 5s);
    check_settled(pair);
  }
}

TEST_CASE("ike: rekeying begins a margin before the end, and after the first tenth of a life at the earliest") {
  for (const auto& [margin, least, most] :
       {std::tuple{0s, 80s, 90s}, {5s, 80s, 90s}, {40s, 53s, 60s}, {1000s, 8s, 10s}}) {
    for (int round = 0; round < 4; ++round) {
      Pair pair;
      pair.a_at_b.lifetimes = lives(100s, 100s);
      pair.a_at_b.lifetimes.margin = margin;
      pair.connect(1s);
      const auto before = pair.a.counters().handshakes;
      const Instant begun = pair.now;
      pair.run(begun + least - 2s);
      CHECK(pair.a.counters().handshakes == before);
      pair.run(begun + most);
      CHECK(pair.a.counters().handshakes > before);
      CHECK(rekeyed(pair.a) == 1);
    }
  }
}

TEST_CASE("ike: rekeying each second for ten minutes, from one end and from both") {
  for (const bool both : {false, true}) {
    Pair pair;
    for (ike::PeerParams* const params : {&pair.a_at_b, &pair.b_at_a}) {
      if (params == &pair.b_at_a && !both) continue;
      params->lifetimes = lives(10s, 10s);
      params->lifetimes.margin = 9s;
    }
    pair.connect(1s);
    run_with_packets(pair, 600s, 5ms);
    CHECK(rekeyed(pair.a) >= 590);
    pair.run(pair.now + 6s);
    check_settled(pair);
  }
}

// RFC 7296 2.8.1, 2.25: with equal lives below a second both ends meet all the time, in every order of messages.
TEST_CASE("ike: both ends rekey both SAs all the time; they settle on one of each and lose nothing") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Pair pair({.seed = seed, .delay = 5ms});
    pair.b_at_a.lifetimes = pair.a_at_b.lifetimes = lives(1250ms, 1250ms);
    pair.connect(1s);
    run_with_packets(pair, 60s, 20ms);
    CHECK(rekeyed(pair.a) >= 30);
    pair.b_at_a.lifetimes = pair.a_at_b.lifetimes = {};
    pair.a.set_peer(pair.b_at_a, pair.now), pair.b.set_peer(pair.a_at_b, pair.now);
    for (const Node* node : {&pair.a, &pair.b}) {
      CHECK(node->counters().up);
      CHECK(node->events_of(EventKind::kTunnelDown) == 0);
      CHECK(node->events_of(EventKind::kHandshakeFailed) == 0);
      CHECK(node->counters().ike_sas <= 3);
      CHECK(node->endpoint->ike_sas() <= 40);  // old ones that repeat their last answer for 30 s
    }
    pair.run(pair.now + 240s);
    for (const Node* node : {&pair.a, &pair.b}) CHECK(node->endpoint->ike_sas() == 1);
  }
}

TEST_CASE("ike: rekeying goes on over a network that loses and repeats") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Pair pair({.seed = seed, .loss_per_mille = 100, .repeat_per_mille = 100, .spread = 100ms});
    pair.b_at_a.lifetimes = pair.a_at_b.lifetimes = lives(200s, 100s);
    pair.connect(10s);
    REQUIRE(pair.up());
    pair.run(pair.now + 2000s);
    CHECK(pair.up());
    CHECK(pair.a.events_of(EventKind::kTunnelDown) == 0);
    CHECK(pair.b.events_of(EventKind::kTunnelDown) == 0);
    CHECK(rekeyed(pair.a) >= 9);
  }
}

TEST_CASE("ike: the byte limit rekeys the CHILD SA") {
  Pair pair;
  pair.b_at_a.lifetimes.child_bytes = 100'000;
  pair.connect(1s);
  for (int i = 0; i < 200; ++i) pair.a_sends(1000), pair.run(pair.now + 10ms);
  pair.run(pair.now + 1s);
  CHECK(pair.a.counters().handshakes >= 3);
  CHECK(pair.b.received.size() == 200);
  check_settled(pair);
}

// RFC 4301 4.4.2.1: what was received counts as much.
TEST_CASE("ike: the byte limit rekeys the CHILD SA also of an end that only receives") {
  Pair pair;
  pair.a_at_b.lifetimes.child_bytes = 100'000;
  pair.connect(1s);
  const auto before = pair.b.counters().handshakes;
  for (int i = 0; i < 200; ++i) pair.a_sends(1000), pair.run(pair.now + 10ms);
  pair.run(pair.now + 1s);
  CHECK(pair.b.counters().handshakes == before + 1);
  CHECK(pair.b.received.size() == 200);
  check_settled(pair);
}

// RFC 7296 2.8: a request that nobody answers does not lengthen the life of the keys.
TEST_CASE("ike: an IKE SA ends at its end also while a request of ours waits for its answer") {
  Pair pair;
  pair.a_at_b.lifetimes = lives(100s, 8h);
  pair.a_at_b.lifetimes.liveness = 15s;
  pair.b_at_a.start = false, pair.b_at_a.lifetimes.liveness = 0s;
  pair.b.set_peer(pair.a_at_b, pair.now), pair.a.set_peer(pair.b_at_a, pair.now);
  pair.a_sends();
  pair.run(kStart + 61s);                                                         // rekeying would begin after 80
  pair.middle = [&](const Sent& s) { return s.from.address != pair.a.address; };  // nothing of a arrives any more
  pair.run(kStart + 99s);                                                         // b asks whether it lives
  CHECK(pair.b.counters().up);
  pair.run(kStart + 102s);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.told("was not rekeyed before its end"));
  pair.middle = [](Sent&) { return true; };
  pair.run(kStart + 108s);
  CHECK(pair.a.counters().ike_sas == 0);  // it is told as soon as it hears
}

// RFC 7296 2.4.
TEST_CASE("ike: a silent peer is asked, and a dead one is found and the tunnel taken down") {
  Pair pair;
  pair.a_at_b.lifetimes.liveness = 10s;
  pair.connect(1s);
  const std::size_t before = pair.carried;
  pair.run(pair.now + 60s);
  CHECK(pair.carried >= before + 8);  // asked and answered
  CHECK(pair.up());
  CHECK(pair.b.counters().last_heard > pair.now - 15s);
  pair.middle = [](Sent&) { return false; };
  const auto silent = pair.now;
  pair.run(pair.now + 400s);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.counters().last_heard <= silent);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 1);
  CHECK(pair.b.endpoint->ike_sas() == 0);
  pair.middle = [](Sent&) { return true; };
  pair.run(pair.now + 400s);  // a finds the same, and calls again
  CHECK(pair.up());
}

TEST_CASE("ike: packets that come in are proof enough of life") {
  Pair pair;
  pair.b_at_a.lifetimes.liveness = pair.a_at_b.lifetimes.liveness = 10s;
  pair.connect(1s);
  pair.keep_seen = true;
  for (int i = 0; i < 100; ++i) pair.a_sends(), pair.b_sends(), pair.run(pair.now + 1s);
  CHECK(std::ranges::none_of(pair.seen, [](const Sent& s) { return s.to.port == 500; }));
  CHECK(pair.b.counters().last_heard > pair.now - 2s);
}

TEST_CASE("ike: a removed peer is told, and both sides forget at once") {
  Pair pair;
  pair.connect(1s);
  pair.b.remove_peer(1, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 1);
  pair.run(pair.now + 1s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) == 1);
}

TEST_CASE("ike: who is to be up calls again soon after the peer ended the IKE SA") {
  Pair pair;
  pair.connect(1s);
  pair.b.remove_peer(1, pair.now);
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.run(pair.now + 5s);
  CHECK_FALSE(pair.up());
  pair.run(pair.now + 10s);
  CHECK(pair.up());
}

// RFC 7296 1.4.1: the two Deletes cross. Each end has answered the other's and keeps nothing but that answer, for a
// while; and who is to be up calls again at once.
TEST_CASE("ike: an IKE SA that both ends delete at the same moment is gone, and a new one comes") {
  Pair pair;
  pair.b_at_a.lifetimes.ike = pair.a_at_b.lifetimes.ike = 10s;
  pair.connect(1s);
  pair.middle = [&](Sent&) { return pair.now >= kStart + 10s; };  // neither can rekey it
  pair.run(kStart + 14s);
  CHECK((pair.a.told("was not rekeyed before its end") || pair.b.told("was not rekeyed before its end")));
  pair.b_at_a.lifetimes.ike = pair.a_at_b.lifetimes.ike = 8h;
  pair.a.set_peer(pair.b_at_a, pair.now), pair.b.set_peer(pair.a_at_b, pair.now);
  pair.run(kStart + 30s);
  CHECK(pair.up());
  pair.run(kStart + 300s);
  CHECK(pair.up());
  CHECK(pair.a.endpoint->ike_sas() == 1);
  CHECK(pair.b.endpoint->ike_sas() == 1);
}

// tunnel/ike/farewell.cc, RFC 7296 2.1, 2.3: the Delete of an SA that is gone here is repeated, behind a request that
// was still open.
TEST_CASE("ike: a removed peer hears of it also when datagrams are lost, and when a request was on its way") {
  for (const bool busy : {false, true}) {
    Pair pair;
    pair.connect(1s);
    int from_b = 0;
    bool answers_lost = busy;
    pair.middle = [&](Sent& s) {
      if (s.from.address == pair.a.address) return !answers_lost;
      return answers_lost || ++from_b > 2;  // of the last words the first two are lost
    };
    if (busy) pair.run(pair.now + 31s);  // b asks whether a lives, and the answer is lost
    answers_lost = false;
    pair.b.remove_peer(1, pair.now);
    CHECK(pair.b.endpoint->ike_sas() == 0);
    pair.b_sends();
    pair.run(pair.now + 8s);
    CHECK_FALSE(pair.a.counters().up);
    CHECK(pair.a.drops.of(Drop::kReplay) == 0);
    pair.a_sends();
    CHECK(pair.b.received.empty());
    pair.run(pair.now + 60s);
    const int said = from_b;
    pair.run(pair.now + 600s);
    CHECK(said <= 16);
  }
}

// RFC 7296 2.4: INITIAL_CONTACT.
TEST_CASE("ike: a peer that restarted replaces its old SA at once") {
  Pair pair;
  pair.connect(1s);
  pair.a = Node(33, "192.0.2.1");
  pair.a.keyd.keys["psk"] = Datagram(32, 7);
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.run(pair.now + 1s);
  CHECK(pair.up());
  CHECK(pair.b.counters().ike_sas == 1);
  CHECK(pair.b.counters().child_sas == 1);
}

// Both call at the same moment: two IKE SAs are allowed to stand, packets go through, and neither end loops.
TEST_CASE("ike: both ends call at once") {
  Pair pair;
  pair.a_at_b.endpoint = SocketAddress{pair.a.address, 500};
  pair.a_at_b.start = true;
  pair.connect(2s);
  run_with_packets(pair, 5s, 50ms);
  CHECK(pair.up());
  CHECK(pair.a.counters().ike_sas <= 2);
  CHECK(pair.carried < 250);
}

TEST_CASE("ike: an old message again, of every exchange, changes nothing") {
  Pair pair;
  pair.keep_seen = true;
  pair.b_at_a.lifetimes = lives(20s, 7s);
  pair.connect(1s);
  pair.run(pair.now + 60s);
  const std::vector<Sent> seen = std::exchange(pair.seen, {});
  const auto handshakes = pair.a.counters().handshakes;
  for (const Sent& sent : seen) {
    Node& to = sent.to.address == pair.a.address ? pair.a : pair.b;
    to.receive(sent.bytes, sent.from, sent.to.port, pair.now);
  }
  pair.run(pair.now + 100ms);
  CHECK(pair.up());
  CHECK(pair.a.counters().handshakes <= handshakes + 2);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) + pair.b.events_of(EventKind::kTunnelDown) == 0);
}
