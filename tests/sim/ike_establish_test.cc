// IKE_SA_INIT and IKE_AUTH between two of our endpoints: what must come up, and what must not.
#include <catch2/catch.hpp>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

// a -> b: IKE_SA_INIT SA, KE, Ni; b -> a: SA, KE, Nr; a -> b: SK{IDi, IDr, AUTH, SA, TSi, TSr}; b -> a: SK{IDr, AUTH,
// ...}
TEST_CASE("ike: four messages make an IKE SA and a CHILD SA") {
  Pair pair;
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.carried == 4);
  for (const Node* node : {&pair.a, &pair.b}) {
    CHECK(node->counters().ike_sas == 1);
    CHECK(node->counters().child_sas == 1);
    CHECK(node->events_of(EventKind::kTunnelUp) == 1);
    CHECK(node->events_of(EventKind::kHandshakeFailed) == 0);
    CHECK(node->endpoint->ike_sas() == 1);
  }
  CHECK(pair.b.endpoint->half_open() == 0);
  CHECK(pair.a.counters().negotiated == pair.b.counters().negotiated);
  CHECK(pair.a.keyd.asked == 2);
}

TEST_CASE("ike: comes up in spite of loss, repetition and reordering") {
  std::size_t up = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Pair pair({.seed = seed, .loss_per_mille = 200, .repeat_per_mille = 200, .spread = 300ms});
    pair.connect(60s);
    up += pair.up();
    CHECK(pair.b.counters().ike_sas == 1);
  }
  CHECK(up == 50);
}

TEST_CASE("ike: another preshared key at one end is refused, nothing stands, and both records say why") {
  Pair pair;
  pair.b.keyd.keys["psk"] = Datagram(32, 8);
  pair.connect(5s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.a.counters().ike_sas + pair.b.counters().ike_sas == 0);
  CHECK(pair.b.told("the preshared key is not the same at both ends"));
  CHECK(pair.a.told("AUTHENTICATION_FAILED"));
}

TEST_CASE("ike: an identity nobody configured is refused") {
  Pair pair;
  pair.b_at_a.local_id = fqdn("stranger.example");
  pair.connect(5s);
  CHECK(pair.b.endpoint->half_open() <= 1);
  CHECK(pair.b.events_of(EventKind::kUnknownPeer) >= 1);
  CHECK(pair.b.told("fqdn:stranger.example"));
  CHECK_FALSE(pair.a.counters().up);
}

TEST_CASE("ike: a responder with another name is not believed, though its key is right") {
  Pair pair;
  pair.a_at_b.local_id = fqdn("other.example");
  pair.b_at_a.remote_id = fqdn("other.example");
  pair.connect(2s);
  REQUIRE(pair.up());
  Pair wrong;
  wrong.middle = [](Sent&) { return true; };
  wrong.a_at_b.local_id = fqdn("other.example");
  wrong.connect(2s);
  CHECK_FALSE(wrong.a.counters().up);
  CHECK(wrong.b.told("the peer wants to talk to fqdn:b.example, we are fqdn:other.example"));
}

TEST_CASE("ike: a peer may only come from its own outer sources") {
  for (const bool allowed : {true, false}) {
    Pair pair;
    pair.a_at_b.outer_sources = {*Prefix::parse(allowed ? "192.0.2.0/24" : "198.51.100.0/24")};
    pair.connect(5s);
    CHECK(pair.up() == allowed);
    if (!allowed) CHECK(pair.b.drops.of(Drop::kUnknownReceiver) > 0);
  }
}

TEST_CASE("ike: preshared keys outside the facility's profile are refused") {
  Pair pair;
  pair.a_at_b.profile.preshared_key = false;
  pair.connect(5s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.b.told("preshared keys are not within the facility's profile"));
}

TEST_CASE("ike: what was agreed must be within the profile of the facility that turns out to call") {
  Pair pair;
  auto other = Pair::peer("b.example", "c.example", "10.2.0.0/24", "10.3.0.0/24");
  other.id = {2};
  pair.a_at_b.profile = ike::profile_at(ike::ProfileName::kStrict, {}, kWall);
  pair.a_at_b.profile.preshared_key = true;
  pair.b_at_a.profile.groups = {tunnel::crypto::Group::kModp2048};
  pair.b.set_peer(other, pair.now);
  pair.connect(5s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.b.told("which the facility's profile does not allow"));
}

// RFC 7296 2.9.
TEST_CASE("ike: a proposal of everything is narrowed to the facility's networks") {
  Pair pair;
  pair.b_at_a.local_networks = {*Prefix::parse("0.0.0.0/0")};
  pair.b_at_a.remote_networks = {*Prefix::parse("0.0.0.0/0")};
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.b.told("theirs 10.1.0.0/24; ours 10.2.0.0/24"));
  CHECK(pair.a.told("theirs 10.2.0.0/24; ours 10.1.0.0/24"));
}

// RFC 7296 2.9, 1.2: the IKE SA stands, the CHILD SA does not.
TEST_CASE("ike: another facility's network is refused with TS_UNACCEPTABLE and named in the record") {
  Pair pair;
  auto other = Pair::peer("b.example", "c.example", "10.2.0.0/24", "10.3.0.0/24");
  other.id = {2};
  pair.b.set_peer(other, pair.now);
  pair.b_at_a.local_networks = {*Prefix::parse("10.3.0.0/24")};
  pair.connect();
  CHECK_FALSE(pair.up());
  CHECK(pair.b.counters().ike_sas == 1);
  CHECK(pair.b.counters().child_sas == 0);
  CHECK(pair.a.told("TS_UNACCEPTABLE"));
  CHECK(pair.b.told("10.3.0.0/24"));
}

// RFC 7296 1.2: the group of the first KE is not the one the responder takes.
TEST_CASE("ike: INVALID_KE_PAYLOAD makes the initiator try the other group") {
  Pair pair;
  using tunnel::crypto::Group;
  pair.b_at_a.profile.groups = {Group::kEcp256, Group::kModp2048};
  pair.a_at_b.profile.groups = {Group::kModp2048};
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.carried == 6);
}

TEST_CASE("ike: no common proposal is told in clear and in words, and the initiator goes on asking") {
  Pair pair;
  using tunnel::crypto::Group;
  pair.b_at_a.profile.groups = {Group::kEcp256};
  pair.a_at_b.profile.groups = {Group::kModp2048};
  pair.connect();
  CHECK_FALSE(pair.a.counters().up);
  CHECK(pair.a.told("NO_PROPOSAL_CHOSEN (not authenticated)"));
  CHECK(pair.b.events_of(EventKind::kUnknownPeer) >= 1);
  CHECK(pair.carried > 6);  // retransmitted
}

// RFC 7296 2.6.
TEST_CASE("ike: under pressure a cookie is asked for and sent back") {
  ike::EndpointParams params;
  params.admission.cookies_from = 0;
  Pair pair({}, params);
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.carried == 6);
  CHECK(pair.b.drops.of(Drop::kUnderLoad) == 1);
}

TEST_CASE("ike: cookie and another group together still come up") {
  ike::EndpointParams params;
  params.admission.cookies_from = 0;
  Pair pair({}, params);
  using tunnel::crypto::Group;
  pair.b_at_a.profile.groups = {Group::kEcp256, Group::kModp2048};
  pair.a_at_b.profile.groups = {Group::kModp2048};
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.carried == 8);
}

// RFC 7296 2.23.
TEST_CASE("ike: a NAT is found, and IKE moves to port 4500") {
  Pair pair;
  const SocketAddress outside{*tunnel::wire::IpAddress::parse("198.51.100.9"), 40000};
  SocketAddress inside{};
  pair.middle = [&](Sent& sent) {
    if (sent.from.address == pair.a.address) {
      inside = sent.from;
      sent.from = {outside.address, static_cast<std::uint16_t>(outside.port + (sent.from.port == 4500))};
    } else {
      sent.to = {pair.a.address, static_cast<std::uint16_t>(sent.to.port == outside.port ? 500 : 4500)};
    }
    return true;
  };
  pair.connect();
  CHECK(pair.up());
  CHECK(inside.port == 4500);
  CHECK(pair.b.counters().path->remote == SocketAddress{outside.address, 40001});
  CHECK(pair.b.counters().path->socket == 1);
}

// RFC 7296 2.23: IKE_AUTH goes where IKE_SA_INIT went; RFC 4555 3.3: then both change, for NATs on later ways.
TEST_CASE("ike: without a NAT the first four messages stay on port 500") {
  Pair pair;
  pair.keep_seen = true;
  pair.connect();
  REQUIRE(pair.seen.size() == 4);
  for (const Sent& s : pair.seen) CHECK(s.to.port == 500);
  CHECK(pair.b.counters().path->remote == SocketAddress{pair.a.address, 4500});
}

// RFC 7383.
TEST_CASE("ike: messages are cut when they do not fit, and joined") {
  ike::EndpointParams params;
  params.fragment_size = 200;
  Pair pair({}, params);
  pair.connect();
  CHECK(pair.up());
  CHECK(pair.carried > 6);
  Pair lossy({.seed = 3, .loss_per_mille = 200, .repeat_per_mille = 100, .spread = 200ms}, params);
  lossy.connect(60s);
  CHECK(lossy.up());
}

// RFC 7296 2.21.1: forged errors in IKE_SA_INIT never end an attempt.
TEST_CASE("ike: a forged refusal of IKE_SA_INIT does not stop an attempt") {
  Pair pair;
  pair.a.set_peer(pair.b_at_a, pair.now);
  const auto sent = pair.a.take_sent();
  REQUIRE(sent.size() == 1);
  Datagram forged(sent[0].bytes.begin(), sent[0].bytes.begin() + 28);
  forged[16] = 41;                                 // first payload: Notify
  forged[19] = 0x20;                               // R flag only
  forged[26] = 0, forged[27] = 36;                 // length
  const Datagram notify{0, 0, 0, 8, 0, 0, 0, 14};  // NO_PROPOSAL_CHOSEN
  forged.insert(forged.end(), notify.begin(), notify.end());
  for (int i = 0; i < 20; ++i) pair.a.receive(forged, sent[0].to, 500, pair.now);
  CHECK(pair.a.told("NO_PROPOSAL_CHOSEN (not authenticated)"));
  CHECK(pair.a.endpoint->ike_sas() == 1);
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.run(pair.now + 5s);  // the retransmission gets through
  CHECK(pair.up());
}

TEST_CASE("ike: a changed octet anywhere in IKE_AUTH changes nothing, the true one is accepted afterwards") {
  Pair pair;
  std::vector<Sent> auth;
  pair.middle = [&](Sent& sent) {
    const bool first = sent.bytes.size() > 18 && sent.bytes[18] == 34;
    if (!first && sent.to.address == pair.b.address) auth.push_back(sent);
    return first || sent.to.address == pair.a.address;
  };
  pair.connect(100ms);
  REQUIRE(auth.size() == 1);
  for (std::size_t i = 0; i < auth[0].bytes.size(); ++i) {
    Datagram changed = auth[0].bytes;
    changed[i] ^= 0x01;
    pair.b.receive(changed, auth[0].from, 500, pair.now);
    CHECK(pair.b.counters().ike_sas == 0);
  }
  CHECK(pair.b.keyd.asked == 0);
  pair.b.receive(auth[0].bytes, auth[0].from, 500, pair.now);
  CHECK(pair.b.counters().ike_sas == 1);
}

TEST_CASE("ike: a half-open SA is forgotten after its time, and a repeated first message makes no second one") {
  Pair pair;
  pair.middle = [&](Sent& sent) { return sent.to.address == pair.b.address; };
  pair.connect(3s);
  CHECK(pair.b.endpoint->half_open() == 1);
  CHECK(pair.b.endpoint->ike_sas() == 1);
  pair.a.remove_peer(1, pair.now);
  pair.run(pair.now + 31s);
  CHECK(pair.b.endpoint->half_open() == 0);
  CHECK(pair.b.endpoint->ike_sas() == 0);
}

TEST_CASE("ike: when keyd never answers, nothing comes up and the half-open SA goes away") {
  Pair pair;
  pair.b.hold_keys = true;
  pair.connect(2s);
  CHECK(pair.b.held.size() == 1);
  CHECK_FALSE(pair.up());
  pair.run(pair.now + 29s);
  pair.b.answer_held(pair.now);
  CHECK(pair.b.endpoint->half_open() <= 1);
  CHECK(pair.b.counters().ike_sas == 0);
}

TEST_CASE("ike: a peer that never answers is given up and tried again") {
  Pair pair;
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.middle = [](Sent&) { return false; };
  pair.run(pair.now + 300s);
  CHECK(pair.a.events_of(EventKind::kHandshakeGaveUp) == 1);
  CHECK(pair.a.endpoint->ike_sas() == 1);  // the next attempt
  pair.middle = [](Sent&) { return true; };
  pair.b.set_peer(pair.a_at_b, pair.now);
  pair.run(pair.now + 60s);
  CHECK(pair.up());
}

TEST_CASE("ike: packets go both ways through ESP in UDP, and only between the agreed networks") {
  Pair pair;
  pair.connect();
  pair.a_sends(500);
  pair.b_sends(900);
  pair.run(pair.now + 1s);
  CHECK(pair.b.received == std::vector<Datagram>{sim::ipv4_packet("10.1.0.5", "10.2.0.5", 500)});
  CHECK(pair.a.received == std::vector<Datagram>{sim::ipv4_packet("10.2.0.5", "10.1.0.5", 900)});
  for (const auto& [source, destination] :
       {std::pair{"10.9.0.5", "10.2.0.5"}, std::pair{"10.1.0.5", "10.9.0.5"}, std::pair{"10.2.0.5", "10.2.0.6"}})
    pair.a.send(sim::ipv4_packet(source, destination, 100), pair.now);
  pair.run(pair.now + 1s);
  CHECK(pair.a.drops.of(Drop::kNoSession) == 3);
  CHECK(pair.b.received.size() == 1);
}

TEST_CASE("ike: an ESP packet is delivered once, and not when it was changed or belongs to nobody") {
  Pair pair;
  pair.connect();
  std::vector<Sent> packets;
  pair.middle = [&](Sent& sent) { return packets.push_back(sent), false; };
  pair.a_sends();
  pair.run(pair.now + 1ms);
  REQUIRE(packets.size() == 1);
  // The same packet is a replay the second time, forged when changed, and unknown under another SPI.
  pair.b.receive(packets[0].bytes, packets[0].from, 4500, pair.now);
  CHECK(pair.b.received.size() == 1);
  pair.b.receive(packets[0].bytes, packets[0].from, 4500, pair.now);
  CHECK(pair.b.drops.of(Drop::kReplay) == 1);
  Datagram changed = packets[0].bytes;
  changed.back() ^= 1;
  changed[7] ^= 4;  // another sequence number
  pair.b.receive(changed, packets[0].from, 4500, pair.now);
  CHECK(pair.b.drops.of(Drop::kForged) == 1);
  changed[2] ^= 1;
  pair.b.receive(changed, packets[0].from, 4500, pair.now);
  CHECK(pair.b.drops.of(Drop::kUnknownReceiver) == 1);
  CHECK(pair.b.received.size() == 1);
}
