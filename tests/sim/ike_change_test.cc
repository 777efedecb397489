// A peer's parameters change while its SAs live: what ends at once, and what goes on without a new handshake.
#include <catch2/catch.hpp>

#include "tests/sim/ike_certified_pair.h"

using namespace ike_sim;

namespace {

std::size_t handshakes(const Node& node) {
  return node.events_of(EventKind::kHandshakeDone);
}

// Nothing was made anew, and packets pass both ways.
void check_untouched(Pair& pair, std::size_t handshakes_before) {
  pair.a.received.clear(), pair.b.received.clear();
  pair.a_sends(), pair.b_sends();
  pair.run(pair.now + 1s);
  CHECK(handshakes(pair.b) == handshakes_before);
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 0);
  CHECK(pair.a.received.size() == 1);
  CHECK(pair.b.received.size() == 1);
}

}  // namespace

TEST_CASE("ike change: a revoked peer loses its SAs in the same call") {
  CertifiedPair pair;
  pair.connect(3s);
  REQUIRE(pair.up());
  const auto revoked = tunnel::crypto::Certificate::parse(pair.b_at_a.certificate->chain.front());
  authority::Authority::List list;
  list.revoked = {*revoked};
  pair.a_at_b.certificate->trust = CertifiedPair::trust_in(pair.root, list);
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.told("the peer's certificate is refused"));
  CHECK(pair.b.events_of(EventKind::kTunnelDown) == 1);
  pair.run(pair.now + 1s);
  CHECK_FALSE(pair.a.counters().up);  // it was told
  pair.run(pair.now + 30s);
  CHECK_FALSE(pair.b.counters().up);  // and does not come back
}

TEST_CASE("ike change: an authority that is no longer trusted takes its peers with it, also after a rekeying") {
  CertifiedPair pair;
  pair.b_at_a.lifetimes.ike = 20s;
  pair.connect(19s);
  REQUIRE(pair.up());
  REQUIRE(pair.b.told("IKE SA rekeyed"));
  const authority::Authority other;
  pair.a_at_b.certificate->trust = CertifiedPair::trust_in(other, {});
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.counters().ike_sas == 0);
  CHECK_FALSE(pair.b.counters().up);
}

TEST_CASE("ike change: a new revocation list that does not name the peer changes nothing") {
  CertifiedPair pair;
  pair.connect(3s);
  REQUIRE(pair.up());
  const std::size_t before = handshakes(pair.b);
  pair.a_at_b.certificate->trust = CertifiedPair::trust_in(pair.root, {});
  pair.b.set_peer(pair.a_at_b, pair.now);
  check_untouched(pair, before);
}

// RFC 7296 2.18: no IKE_AUTH comes with a rekeying, so what was shown before counts for the new IKE SA too.
TEST_CASE("ike change: what the peer has shown is kept over a rekeying of the IKE SA, whoever began it") {
  for (const bool a_rekeys : {true, false}) {
    Wish wish = wish_of("a.example");
    wish.to = kWall + 1h;
    CertifiedPair pair(wish);
    (a_rekeys ? pair.b_at_a : pair.a_at_b).lifetimes.ike = 20s;
    pair.connect(19s);
    REQUIRE(pair.up());
    REQUIRE(pair.b.told("IKE SA rekeyed"));
    CHECK(pair.b.counters().certificate_expires == kWall + 1h);
    pair.a_at_b.certificate->trust = CertifiedPair::trust_in(pair.root, {});
    pair.b.set_peer(pair.a_at_b, pair.now);
    CHECK_FALSE(pair.b.told("has shown no certificate"));
    CHECK(pair.b.counters().up);
  }
}

TEST_CASE("ike change: a certificate that expires ends its SAs, and the end is known before") {
  Wish wish = wish_of("a.example");
  wish.to = kWall + 1h;
  CertifiedPair pair(wish);
  pair.connect(3s);
  REQUIRE(pair.up());
  CHECK(pair.b.counters().certificate_expires == kWall + 1h);
  CHECK(pair.a.counters().certificate_expires > kWall + 48h);
  pair.run(kStart + 1h - 1s);
  CHECK(pair.up());
  pair.run(kStart + 1h);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.endpoint->ike_sas() == 0);
  CHECK(pair.b.told("the peer's certificate has expired"));
  CHECK_FALSE(pair.b.counters().certificate_expires);
}

TEST_CASE("ike change: a corrected wall clock moves that end") {
  Wish wish = wish_of("a.example");
  wish.to = kWall + 1h;
  CertifiedPair pair(wish);
  pair.connect(3s);
  pair.b.endpoint->set_wall_time(kWall + 59min, pair.now);
  pair.run(pair.now + 58s);
  CHECK(pair.b.counters().up);
  pair.run(pair.now + 3s);
  CHECK_FALSE(pair.b.counters().up);
}

TEST_CASE("ike change: a preshared key has no end") {
  Pair pair;
  pair.connect();
  CHECK_FALSE(pair.b.counters().certificate_expires);
}

TEST_CASE("ike change: lifetimes, another way to call and wider outer sources touch no SA") {
  Pair pair;
  pair.a_at_b.outer_sources = {*Prefix::parse("192.0.2.1/32")};
  pair.connect();
  const std::size_t before = handshakes(pair.b);
  pair.a_at_b.outer_sources = {*Prefix::parse("192.0.2.0/24")};
  pair.a_at_b.lifetimes.liveness = 60s;
  pair.a_at_b.lifetimes.ike = 4h;
  pair.a_at_b.endpoint = SocketAddress{pair.a.address, 500};
  pair.b.set_peer(pair.a_at_b, pair.now);
  check_untouched(pair, before);
}

TEST_CASE("ike change: a shorter life holds for what stands") {
  Pair pair;
  pair.connect();
  pair.b_at_a.lifetimes.child = 30s;
  pair.a.set_peer(pair.b_at_a, pair.now);
  const std::size_t before = handshakes(pair.a);
  pair.run(pair.now + 40s);
  CHECK(handshakes(pair.a) > before);
  CHECK(pair.up());
}

TEST_CASE("ike change: an outer address that is no longer allowed loses its SAs") {
  Pair pair;
  pair.connect();
  pair.a_at_b.outer_sources = {*Prefix::parse("198.51.100.0/24")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
}

TEST_CASE("ike change: a profile without what was agreed ends it; one with more does not") {
  Pair pair;
  pair.b_at_a.profile.ike = {pair.b_at_a.profile.ike.back()};
  pair.connect();
  REQUIRE(pair.up());
  const auto agreed = pair.b_at_a.profile.ike.front();
  const std::size_t before = handshakes(pair.b);
  std::ranges::rotate(pair.a_at_b.profile.groups, pair.a_at_b.profile.groups.begin() + 1);
  pair.b.set_peer(pair.a_at_b, pair.now);
  check_untouched(pair, before);
  std::erase(pair.a_at_b.profile.ike, agreed);
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
}

TEST_CASE("ike change: a preshared key that is no longer within the profile ends its SAs") {
  Pair pair;
  pair.connect();
  pair.a_at_b.profile.preshared_key = false;
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
}

TEST_CASE("ike change: narrower networks end the CHILD SA that holds more, at once, and the IKE SA makes another") {
  Pair pair;
  pair.connect();
  const Datagram packet = sim::ipv4_packet("10.1.0.200", "10.2.0.5", 100);
  pair.a.send(packet, pair.now);
  const auto under_way = pair.a.take_sent();
  REQUIRE(under_way.size() == 1);
  pair.a_at_b.remote_networks = {*Prefix::parse("10.1.0.0/25")};
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.b.receive(under_way.front().bytes, under_way.front().from, 4500, pair.now);
  CHECK(pair.b.received.empty());
  CHECK(pair.b.counters().ike_sas == 1);
  CHECK_FALSE(pair.b.counters().up);
  pair.run(pair.now + 5s);
  CHECK(pair.up());
  CHECK(pair.b.told("theirs 10.1.0.0/25"));
  CHECK(pair.b.counters().ike_sas == 1);
  pair.a_sends();
  pair.run(pair.now + 1s);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("ike change: wider networks get a new CHILD SA beside the old one, which then goes") {
  Pair pair;
  pair.a_at_b.remote_networks = {*Prefix::parse("10.1.0.0/16")};
  pair.connect();
  pair.b_at_a.local_networks = {*Prefix::parse("10.1.0.0/16")};
  pair.a.set_peer(pair.b_at_a, pair.now);
  CHECK(pair.a.counters().up);
  pair.run(pair.now + 2s);
  CHECK(pair.a.counters().child_sas == 1);
  CHECK(pair.b.counters().child_sas == 1);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) + pair.b.events_of(EventKind::kTunnelDown) == 0);
  pair.a.send(sim::ipv4_packet("10.1.7.7", "10.2.0.5", 100), pair.now);
  pair.run(pair.now + 1s);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("ike change: another name, key or kind of authentication starts anew") {
  for (const int what : {0, 1, 2, 3}) {
    Pair pair;
    pair.connect();
    REQUIRE(pair.up());
    if (what == 0) pair.a_at_b.local_id = fqdn("new.example");
    if (what == 1) pair.a_at_b.preshared_key = "another";
    if (what == 2) pair.a_at_b.certificate.emplace();
    if (what == 3) pair.a_at_b.remote_id = fqdn("new.example");
    pair.b.set_peer(pair.a_at_b, pair.now);
    CHECK(pair.b.endpoint->ike_sas() == 0);
  }
}

TEST_CASE("ike change: an attempt under way begins anew at once") {
  Pair pair;
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.run(pair.now + 100ms);
  pair.b_at_a.endpoint = SocketAddress{*tunnel::wire::IpAddress::parse("192.0.2.77"), 500};
  pair.keep_seen = true;
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.run(pair.now + 100ms);
  REQUIRE(pair.seen.size() == 1);
  CHECK(pair.seen.front().to == *pair.b_at_a.endpoint);
  CHECK(pair.a.endpoint->ike_sas() == 1);
}
