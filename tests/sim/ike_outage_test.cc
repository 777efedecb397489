// Rekeying each second from both ends while the line is cut for moments: whatever message of whatever exchange is lost,
// the tunnel stands. (RFC 7296 2.8.1, 2.25.)
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

TEST_CASE("ike: rekeying each second from both ends, and the line is cut for moments", "[rfc7296-2.8.1]") {
  const char* const wish = std::getenv("SEKISHO_SEEDS");
  const std::uint64_t seeds = wish != nullptr ? std::strtoull(wish, nullptr, 10) : 20;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Pair pair({.seed = seed, .delay = 100us, .spread = 0us});
    SeededRng dice(seed * 7919);
    for (ike::PeerParams* const params : {&pair.a_at_b, &pair.b_at_a}) {
      params->lifetimes.child = params->lifetimes.ike = 10s;
      params->lifetimes.margin = 9s;
      params->profile.groups = {tunnel::crypto::Group::kEcp256};
    }
    bool cut_a = false, cut_b = false;
    pair.middle = [&](Sent& s) { return !(s.from.address == pair.a.address ? cut_a : cut_b); };
    pair.connect(1s);
    REQUIRE(pair.up());
    const Instant end = pair.now + 600s;
    while (pair.now < end) {
      pair.run(pair.now + std::chrono::milliseconds(1 + dice.below(2000)));
      cut_a = dice.below(2) == 0, cut_b = dice.below(2) == 0;
      pair.run(pair.now + std::chrono::milliseconds(1 + dice.below(100)));
      cut_a = cut_b = false;
    }
    for (Node* const node : {&pair.a, &pair.b}) CHECK(node->events_of(EventKind::kTunnelDown) == 0);
    CHECK(pair.up());
    CHECK(pair.lost > 0);
    for (Node* const node : {&pair.a, &pair.b}) CHECK(node->endpoint->esp_spis() <= 12);  // of 600
    pair.a.remove_peer(1, pair.now), pair.b.remove_peer(1, pair.now);
    pair.run(pair.now + 60s);
    for (Node* const node : {&pair.a, &pair.b}) CHECK(node->endpoint->esp_spis() == 0);  // none is forgotten
  }
}
