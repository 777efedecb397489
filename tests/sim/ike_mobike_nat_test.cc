// A NAT that comes, or changes its mapping, while SAs live: RFC 4555 3.8, RFC 7296 2.23, RFC 3948 4.
#include <catch2/catch.hpp>

#include "tests/sim/ike_moving_pair.h"

using namespace ike_sim;

TEST_CASE("ike mobike: behind a NAT after the move ESP goes in UDP, before it went plain") {
  MovingPair pair;
  for (Node* node : {&pair.a, &pair.b}) node->endpoint->set_doors(node->doors(true), {node->address});
  pair.connect();
  pair.seen.clear();
  CHECK(pair.carries());
  CHECK(pair.seen.front().to.port == 0);
  const SocketAddress mapped{*tunnel::wire::IpAddress::parse("203.0.113.1"), 61000};
  pair.middle = [&](Sent& s) {
    if (s.from.address == kElsewhere) s.from = mapped;
    if (s.to == mapped) s.to = {kElsewhere, 4500};
    return true;
  };
  pair.a.address = kElsewhere;
  pair.a.endpoint->set_doors(pair.a.doors(true), {kElsewhere});
  pair.run(pair.now + 1s);
  CHECK(pair.b.counters().path->remote == mapped);
  pair.seen.clear();
  CHECK(pair.carries());
  for (const Sent& s : pair.seen) CHECK(s.to.port != 0);
}

// RFC 4555 3.8.
TEST_CASE("ike mobike: another mapping of the NAT is found and told") {
  MovingPair pair;
  SocketAddress mapped{*tunnel::wire::IpAddress::parse("203.0.113.1"), 61000};
  pair.middle = [&](Sent& s) {
    if (s.from.address == pair.a.address)
      s.from = {mapped.address, static_cast<std::uint16_t>(s.from.port == 500 ? 60500 : mapped.port)};
    if (s.to.address == mapped.address) {
      if (s.to.port != mapped.port && s.to.port != 60500) return false;
      s.to = {pair.a.address, static_cast<std::uint16_t>(s.to.port == 60500 ? 500 : 4500)};
    }
    return true;
  };
  pair.connect();
  REQUIRE(pair.up());
  mapped.port = 61001;
  pair.run(pair.now + 40s);  // the next liveness check of a
  CHECK(pair.b.counters().path->remote == mapped);
  CHECK(pair.carries());
}

// RFC 4555 3.8: the hashes of the old IKE SA say nothing in the new one, so what happened between is asked for at once.
TEST_CASE("ike mobike: another mapping of the NAT is found after a rekeying of the IKE SA") {
  MovingPair pair;
  std::uint16_t mapped = 61000;
  const auto outside = *tunnel::wire::IpAddress::parse("203.0.113.1");
  pair.middle = [&](Sent& s) {
    if (s.from.address == pair.a.address) s.from = {outside, s.from.port == 500 ? std::uint16_t{60500} : mapped};
    if (s.to.address == outside) {
      if (s.to.port != mapped && s.to.port != 60500) return false;
      s.to = {pair.a.address, static_cast<std::uint16_t>(s.to.port == 60500 ? 500 : 4500)};
    }
    return true;
  };
  pair.b_at_a.lifetimes.ike = 100s;
  pair.b_at_a.lifetimes.liveness = pair.a_at_b.lifetimes.liveness = 0s;  // nothing else would find it
  pair.connect();
  REQUIRE(pair.up());
  pair.run(kStart + 60s);
  mapped = 61001;
  pair.run(kStart + 110s);
  CHECK(pair.b.counters().path->remote == SocketAddress{outside, mapped});
  CHECK(pair.carries());
}

// RFC 3948 4: who follows the other's move may be behind a NAT on the new path.
TEST_CASE("ike mobike: the end that follows keeps the mapping of a NAT on the new path alive") {
  MovingPair pair;
  pair.connect();
  const auto outside = pair.b.address, inside = *tunnel::wire::IpAddress::parse("10.99.0.2");
  const auto keepalives = [&] {
    return std::ranges::count_if(pair.seen,
                                 [&](const Sent& s) { return s.from.address == inside && s.bytes.size() == 1; });
  };
  pair.b.address = inside;  // a router was put in front of it
  pair.middle = [&](Sent& s) {
    if (s.to.address == outside) s.to.address = inside;
    if (s.from.address == inside) s.from.address = outside;
    return true;
  };
  pair.b.endpoint->set_doors(pair.b.doors(false), {inside});
  pair.a_moves_to(kElsewhere);
  pair.run(pair.now + 1s);
  CHECK(pair.b.counters().path->remote.address == kElsewhere);
  pair.run(pair.now + 100s);
  CHECK(keepalives() >= 2);
}
