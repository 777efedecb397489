// The line is cut while an SA is rekeyed, for as long as requests are repeated: both ends come back to one tunnel, and
// no end takes it down at the other. And what has come to its end is at its end.
#include <catch2/catch.hpp>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

namespace {

void no_liveness(Pair& pair) {
  for (ike::PeerParams* const params : {&pair.a_at_b, &pair.b_at_a}) params->lifetimes.liveness = 0s;
}

void rekeys_ike_within(ike::PeerParams& params, tunnel::wire::Duration life, tunnel::wire::Duration margin) {
  params.lifetimes.ike = life, params.lifetimes.margin = margin;
}

}  // namespace

// Its Delete of the old IKE SA would be the end of everything to the peer, which has heard of no other.
TEST_CASE("ike: our answer to the rekeying of the IKE SA is lost, and the line is cut for minutes", "[rfc7296-2.8]") {
  for (const auto cut : {30s, 90s, 150s}) {  // after 165 s nothing is repeated any more, and after 205 s it is given up
    CAPTURE(cut.count());
    Pair pair;
    no_liveness(pair);
    rekeys_ike_within(pair.a_at_b, 2000s, 1000s);
    pair.connect();
    REQUIRE(pair.up());
    Instant until{};
    pair.middle = [&](Sent& s) {
      const IkeKind ike = ike_of(s);
      if (until == Instant{} && s.from.address == pair.a.address && ike.exchange == 36 && ike.response)
        until = pair.now + cut;
      return pair.now >= until;
    };
    for (int i = 0; i < 1100 && until == Instant{}; ++i) pair.run(pair.now + 1s);
    REQUIRE(until != Instant{});
    pair.run(until + 1s);
    CHECK(pair.carries());
    pair.run(until + 5min);
    CHECK(pair.carries());
    for (const Node* const node : {&pair.a, &pair.b}) {
      CHECK(node->events_of(EventKind::kTunnelDown) == 0);
      CHECK(node->counters().ike_sas == 1);
      CHECK(node->counters().child_sas == 1);
    }
  }
}

// RFC 7296 2.25.2: the peer's request came through and ours never does.
TEST_CASE("ike: a rekeying of the IKE SA that nobody answers leaves the tunnel with what the peer made of its own",
          "[rfc7296-2.25.2]") {
  Pair pair;
  no_liveness(pair);
  rekeys_ike_within(pair.b_at_a, 2000s, 1700s);  // a begins 266 to 300 s after the start
  rekeys_ike_within(pair.a_at_b, 2040s, 1700s);  // b begins 302 to 340 s after it
  pair.connect();
  REQUIRE(pair.up());
  int ours = 0, theirs = 0;
  pair.middle = [&](Sent& s) {
    const IkeKind ike = ike_of(s);
    if (ike.response || ike.exchange == 0) return true;
    if (s.from.address == pair.a.address) return ike.exchange != 36 || (++ours, false);
    theirs += ike.exchange == 36;
    return ike.exchange != 37;  // not its Delete of the old one either
  };
  pair.run(kStart + 600s);
  REQUIRE(ours > 10);
  REQUIRE(theirs == 1);
  CHECK(pair.a.events_of(EventKind::kHandshakeGaveUp) == 1);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) == 0);
  CHECK(pair.a.counters().ike_sas == 1);
  CHECK(pair.carries());
}

// RFC 4301 4.4.2.1: the hard end is one, also for what comes in and while our Delete is not answered.
TEST_CASE("ike: nothing is opened with a CHILD SA whose life is over", "[rfc4301-4.4.2.1]") {
  Pair pair;
  no_liveness(pair);
  pair.a_at_b.lifetimes.child = 100s;
  pair.connect();
  REQUIRE(pair.up());
  pair.middle = [&](Sent& s) { return ike_of(s).exchange == 0; };  // ESP alone comes through
  pair.run(kStart + 99s);
  CHECK(pair.carries());
  pair.run(kStart + 112s);
  pair.b.received.clear();
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.b.received.empty());
  CHECK_FALSE(pair.b.counters().up);
}
