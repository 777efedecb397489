// RFC 7296 read against the code: what an ordinary router or an authenticated peer may say that comes to a limit, at
// the wrong moment, or from elsewhere.
#include <catch2/catch.hpp>

#include <set>

#include "tests/sim/ike_scene.h"

using namespace ike_sim;

namespace {

Datagram within(const std::vector<ike::Selector>& selectors) {
  return body_from([&](ike::Chain& c) { append(c, ike::PayloadType::kSelectorsInitiator, selectors); });
}

}  // namespace

// RFC 7296 3.13.
TEST_CASE("ike: a facility may have as many networks and destinations as one payload names") {
  for (const int count : {33, 64, 255})
    for (const bool named_by_caller : {true, false}) {
      Pair pair;
      pair.a_at_b.local_networks.clear();
      for (int i = 0; i < count; ++i)
        pair.a_at_b.local_networks.push_back(*Prefix::parse("10.2." + std::to_string(i) + ".0/25"));
      pair.b_at_a.remote_networks =
          named_by_caller ? pair.a_at_b.local_networks : std::vector{*Prefix::parse("10.2.0.0/16")};
      pair.connect();
      REQUIRE(pair.up());
      for (int i = 0; i < (named_by_caller ? 64 : count); ++i) {
        pair.a.send(sim::ipv4_packet("10.1.0.5", ("10.2." + std::to_string(i) + ".9").c_str(), 60), pair.now);
        pair.run(pair.now + 100ms);
      }
      CHECK(pair.b.received.size() == static_cast<std::size_t>(named_by_caller ? std::min(count, 64) : count));
    }
}

// RFC 7296 2.9: what is more than we take is narrowed away, not refused.
TEST_CASE("ike: more selectors than we look at are narrowed; many notifies are read") {
  Scene many;
  many.up();
  std::vector<ike::Selector> hosts;
  for (int i = 0; i < 200; ++i)
    hosts.push_back(ike::Selector::of(*Prefix::parse("10.1.0." + std::to_string(i) + "/32")));
  auto pieces = many.peer.child();
  for (Piece& piece : pieces)
    if (piece.type == 44) piece.body = within(hosts);
  CHECK(many.peer.ask(ike::Exchange::kCreateChildSa, pieces).starts_with("payload 33"));
  CHECK(many.node.counters().child_sas == 2);

  Scene addresses;  // RFC 4555 3.4: one notify for each address of the peer
  addresses.node.set_peer(addresses.params, kStart);
  addresses.peer.init();
  auto auth = addresses.peer.auth();
  for (std::uint8_t i = 0; i < 100; ++i) auth.push_back({41, {0, 0, 0x40, 0x0d, 10, 0, 0, i}, false, 0});
  addresses.peer.ask(ike::Exchange::kAuth, auth);
  CHECK(addresses.node.counters().child_sas == 1);
}

TEST_CASE("ike: one CHILD SA rekeyed again and again comes to a bound, and one Delete may name all of them") {
  Scene scene;
  scene.params.profile.pfs_required = false;
  scene.up();
  std::vector<std::uint32_t> spis;
  std::string answer;
  for (std::uint32_t i = 0; i < 200; ++i) {
    auto pieces = scene.peer.child(0x11223344);
    const auto proposals = ike::offer_esp(scene.peer.profile, scene.peer.kGroup, 0x60000000 + i, false);
    pieces[1].body = body_from([&](ike::Chain& c) { append(c, proposals); });
    answer = scene.peer.ask(ike::Exchange::kCreateChildSa, pieces);
    if (answer.starts_with("payload 33")) spis.push_back(0x60000000 + i);
  }
  CHECK(answer == "TEMPORARY_FAILURE");
  CHECK(spis.size() < 64);
  for (std::uint32_t i = 0; i < 900; ++i) spis.push_back(0x70000000 + i);  // and others that are none
  CHECK(scene.peer.ask(ike::Exchange::kInformational, {ScriptedPeer::deletes(spis)}) == "payload 42");
  CHECK(scene.node.counters().child_sas <= 1);
}

TEST_CASE("ike: a peer that rekeys the IKE SA again and again while we rekey it comes to a bound") {
  Scene scene;
  scene.params.lifetimes.ike = 1000s;
  scene.up();
  CHECK(has(scene.begun(kStart + 950s), kCreateChild));
  scene.peer.at(kStart + 951s);
  for (int i = 0; i < 100; ++i) scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.rekey_ike());
  CHECK(scene.node.endpoint->ike_sas() <= 3);
}

// RFC 7296 3.7: the request names authorities; an answer to a stranger stays small.
TEST_CASE("ike: however many authorities are trusted, the answer to a first message is bounded") {
  Scene scene;
  scene.params.certificate.emplace();
  for (std::size_t i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 20> hash{};
    hash[0] = static_cast<std::uint8_t>(i), hash[1] = static_cast<std::uint8_t>(i >> 8);
    scene.params.certificate->authorities.push_back(hash);
  }
  scene.node.set_peer(scene.params, kStart);
  const auto answered = [&](ike::Spi spi) {
    scene.peer.spi = spi, scene.peer.nonce[0] = static_cast<std::uint8_t>(spi);
    scene.peer.init();
    scene.node.receive(scene.peer.first(), scene.peer.from, 500, kStart);
    return scene.node.take_sent().at(0).bytes.size();
  };
  const std::size_t full = answered(1);
  CHECK(full < 1600);
  auto fewer = scene.params;
  fewer.certificate->authorities.resize(1);
  scene.node.set_peer(fewer, kStart);
  CHECK(answered(2) == full - 63 * 20);  // those of a peer that changed are forgotten
}

TEST_CASE("ike: a network that was withdrawn while our request was under way is not in what it makes") {
  Pair pair;
  pair.b_at_a.remote_networks = {*Prefix::parse("10.2.0.0/24"), *Prefix::parse("10.9.0.0/24")};
  pair.a_at_b.local_networks = pair.b_at_a.remote_networks;
  pair.b_at_a.lifetimes.child = 100s;
  pair.connect();
  bool hold = true;
  pair.middle = [&](Sent& s) {
    const std::size_t at = s.to.port == 4500 ? 4 : 0;
    return !(hold && s.from.address == pair.b.address && s.bytes.size() > at + 20 && s.bytes[at + 18] == kCreateChild);
  };
  pair.run(pair.now + 92s);
  pair.b_at_a.remote_networks = {*Prefix::parse("10.2.0.0/24")};
  pair.a.set_peer(pair.b_at_a, pair.now);
  hold = false;
  for (const auto later : {20s, 3600s}) {
    pair.run(pair.now + later);
    pair.a.received.clear(), pair.b.received.clear();
    pair.a.send(sim::ipv4_packet("10.1.0.5", "10.9.0.5", 100), pair.now);
    pair.b.send(sim::ipv4_packet("10.9.0.5", "10.1.0.5", 100), pair.now);
    pair.run(pair.now + 1s);
    CHECK(pair.a.received.empty());
    CHECK(pair.b.received.empty());
  }
  pair.a_sends(), pair.run(pair.now + 1s);
  CHECK(pair.b.received.size() == 1);
}

// RFC 7296 1.4.1.
TEST_CASE("ike: a CHILD SA that is no longer allowed is deleted also when its rekeying was put off") {
  Scene scene;
  scene.params.lifetimes.child = 100s;
  scene.up();
  CHECK(has(scene.begun(kStart + 95s), kCreateChild));
  auto changed = scene.params;
  changed.remote_networks = {*Prefix::parse("10.77.0.0/24")};
  scene.node.set_peer(changed, kStart + 96s);
  scene.peer.at(kStart + 96s);
  scene.answer_error(ike::Exchange::kCreateChildSa, kTemporaryFailure);
  std::vector<int> types;
  for (const Sent& sent : scene.node.take_sent()) types.push_back(sent.bytes[18]);
  CHECK(types == std::vector{kInformational});
}

TEST_CASE("ike: strangers that call themselves by a router's name do not keep us from calling it") {
  Scene scene;
  scene.params.start = true;
  scene.params.endpoint = SocketAddress{*tunnel::wire::IpAddress::parse("198.51.100.9"), 500};
  scene.node.set_peer(scene.params, kStart);
  std::set<Datagram> calls;
  std::size_t answered = 0;
  std::uint8_t number = 0;
  for (Instant now = kStart + 1s; now < kStart + 3600s; now += 20s) {
    ScriptedPeer stranger(scene.node, now);
    stranger.from = SocketAddress{*tunnel::wire::IpAddress::parse("203.0.113.9"), 500};
    stranger.spi += ++number, stranger.nonce[0] = number;
    scene.node.on_deadline(now);
    for (const Sent& sent : scene.node.take_sent())
      if (sent.to.address == scene.params.endpoint->address) calls.insert({sent.bytes.begin(), sent.bytes.begin() + 8});
    stranger.init();
    if (!stranger.sa.seals) continue;
    auto pieces = stranger.auth();
    pieces[2].body.back() ^= 1;
    CHECK(stranger.ask(ike::Exchange::kAuth, pieces) == "AUTHENTICATION_FAILED");
    // what comes after it on that SA is no message
    answered += stranger.ask(ike::Exchange::kInformational, {{41, {}, false, 0}}) != "silence";
  }
  CHECK(calls.size() >= 10);
  CHECK(answered == 0);
}

// RFC 7296 2.23.
TEST_CASE("ike: nobody is followed out of the facility's sources, nor by who is behind a NAT itself") {
  for (const bool ours : {false, true}) {
    Scene scene;
    if (!ours) scene.params.outer_sources = {*Prefix::parse("192.0.2.1/32")};
    scene.peer.nat = true, scene.peer.node_behind_nat = ours;
    scene.up();
    scene.peer.from = SocketAddress{*tunnel::wire::IpAddress::parse("198.51.100.7"), 40000};
    scene.peer.ask(ike::Exchange::kInformational, {});
    scene.node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
    const auto sent = scene.node.take_sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].to.address.to_string() == "192.0.2.1");
  }
}

// RFC 7296 2.4.
TEST_CASE("ike: an old fragment again is no sign of life") {
  ike::EndpointParams params;
  params.fragment_size = 300;
  Pair pair({}, params);
  pair.b_at_a.lifetimes.liveness = 0s;
  std::optional<Sent> second;
  bool dead = false;
  pair.middle = [&](Sent& s) {
    const std::size_t at = s.to.port == 4500 ? 4 : 0;
    if (s.from.address == pair.a.address && s.bytes.size() > at + 36 && s.bytes[at + 16] == 53 && s.bytes[at + 33] == 2)
      second = s;
    return !dead;
  };
  pair.connect();
  REQUIRE(second);
  dead = true;
  for (int i = 0; i < 40; ++i) {
    pair.run(pair.now + 10s);
    pair.b.receive(second->bytes, second->from, second->to.port, pair.now);
  }
  CHECK_FALSE(pair.b.counters().up);
}

// RFC 7296 2.5.
TEST_CASE("ike: an unknown critical payload in the first message is answered, and a stranger's is not") {
  for (const bool known : {true, false}) {
    Node node(22, "192.0.2.2");
    ike::PeerParams params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
    if (!known) params.outer_sources = {*Prefix::parse("198.51.100.0/24")};
    node.set_peer(params, kStart);
    ScriptedPeer peer(node, kStart);
    peer.critical = 200;
    peer.make_first();
    const Datagram octets = peer.first();
    node.receive(octets, peer.from, 500, kStart);
    const auto sent = node.take_sent();
    REQUIRE(sent.size() == (known ? 1 : 0));
    if (!known) continue;
    CHECK(sent[0].bytes.size() < octets.size());
    CHECK(sent[0].bytes[16] == 41);                             // Notify
    CHECK((sent[0].bytes[34] == 0 && sent[0].bytes[35] == 1));  // UNSUPPORTED_CRITICAL_PAYLOAD
    CHECK(sent[0].bytes.back() == 200);
    CHECK(node.endpoint->ike_sas() == 0);
  }
}

// Nobody is answered, and people are told: a router that was given another address, one that was left on IKEv1.
TEST_CASE("ike: who comes from an address of nobody, or with IKEv1, is on record and gets no word") {
  for (const bool old : {false, true}) {
    Node node(22, "192.0.2.2");
    ike::PeerParams params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
    if (!old) params.outer_sources = {*Prefix::parse("198.51.100.0/24")};
    node.set_peer(params, kStart);
    ScriptedPeer peer(node, kStart);
    peer.make_first();
    Datagram octets = peer.first();
    if (old) octets[17] = 0x10, octets[18] = 2;  // RFC 2408 3.1: version 1.0, identity protection
    node.receive(octets, peer.from, 500, kStart);
    CHECK(node.take_sent().empty());
    CHECK(node.endpoint->ike_sas() == 0);
    CHECK(node.told(old ? "it speaks IKEv1" : "no facility with IKEv2 may come from this address"));
    CHECK(node.events_of(EventKind::kUnknownPeer) == 1);
    node.receive(octets, peer.from, 500, kStart);
    CHECK(node.events_of(EventKind::kUnknownPeer) == 1);  // once a second
  }
}

// RFC 7296 2.21.3.
TEST_CASE("ike: INVALID_SYNTAX as an answer is the end of the IKE SA") {
  Scene scene;
  scene.params.lifetimes.child = 100s;
  scene.rekeying();
  scene.answer_error(ike::Exchange::kCreateChildSa, kInvalidSyntax);
  CHECK(scene.node.counters().ike_sas == 0);
  CHECK(scene.node.told("INVALID_SYNTAX"));
}

// RFC 7296 2.25.2.
TEST_CASE("ike: who closes the IKE SA puts off what is to be made in it") {
  Scene scene;
  scene.params.lifetimes.ike = 100s;
  scene.rekeying();
  scene.answer_error(ike::Exchange::kCreateChildSa, kNoProposal);
  scene.node.take_sent();
  scene.peer.at(kStart + 101s);
  scene.node.on_deadline(kStart + 101s);
  REQUIRE(scene.node.take_sent().size() == 1);  // the Delete
  CHECK(scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.child(0x11223344)) == "TEMPORARY_FAILURE");
  CHECK(scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.rekey_ike()) == "TEMPORARY_FAILURE");
}

// RFC 7296 2.25.1.
TEST_CASE("ike: a CHILD SA that the peer deletes while we rekey it is not made anew with an IKE SA of its own") {
  Scene scene;
  scene.params.lifetimes.child = 100s;
  scene.params.endpoint = scene.peer.from;
  scene.rekeying();
  scene.peer.ask(ike::Exchange::kInformational, {ScriptedPeer::deletes({0x11223344})});
  scene.answer_error(ike::Exchange::kCreateChildSa, kChildNotFound, {1, 2, 3, 4});
  for (const Sent& sent : scene.node.take_sent()) CHECK(sent.bytes[18] != kInit);
  CHECK(scene.node.endpoint->ike_sas() == 1);
}

TEST_CASE("ike: a CHILD SA that is wanted is asked for also in the IKE SA that replaces the old one") {
  Scene scene;
  scene.params.start = true;
  scene.params.lifetimes.ike = 24h;
  scene.params.endpoint = SocketAddress{*tunnel::wire::IpAddress::parse("198.51.100.9"), 500};
  scene.node.set_peer(scene.params, kStart);
  scene.node.take_sent();  // its own call
  scene.peer.init();
  scene.peer.ask(ike::Exchange::kAuth, scene.peer.auth());
  (void)scene.begun(kStart + 400s);
  scene.peer.at(kStart + 400s);
  scene.peer.ask(ike::Exchange::kInformational, {ScriptedPeer::deletes({0x11223344})});
  scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.rekey_ike());
  scene.peer.ask(ike::Exchange::kInformational, {ScriptedPeer::deletes({})});
  std::vector<int> types;
  for (Instant now = kStart + 400s; now < kStart + 500s; now += 1s) {
    scene.node.on_deadline(now);
    for (const Sent& sent : scene.node.take_sent()) types.push_back(sent.bytes[18]);
  }
  CHECK(has(types, kCreateChild));
}

TEST_CASE("ike: what one peer makes us compute is bounded, and comes back with time") {
  Scene scene;
  scene.up();
  int made = 0;
  for (int i = 0; i < 1200; ++i)
    made += scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.child(0x99)) == "CHILD_SA_NOT_FOUND";
  CHECK(made == 1023);  // and the first one, of IKE_AUTH
  scene.peer.at(kStart + 2s);
  CHECK(scene.peer.ask(ike::Exchange::kCreateChildSa, scene.peer.child(0x99)) == "CHILD_SA_NOT_FOUND");
}

// RFC 8019 4.2: who was refused holds no place of those that are still to prove themselves.
TEST_CASE("ike: a refused stranger takes no place from the next") {
  Scene scene;
  scene.node.set_peer(scene.params, kStart);
  for (std::uint8_t i = 1; i <= 15; ++i) {
    ScriptedPeer stranger(scene.node, kStart + i * 1s);
    stranger.spi += i, stranger.nonce[0] = i;
    stranger.init();
    REQUIRE(stranger.sa.seals);  // one source: five may be half-open
    auto pieces = stranger.auth();
    pieces[2].body.back() ^= 1;
    CHECK(stranger.ask(ike::Exchange::kAuth, pieces) == "AUTHENTICATION_FAILED");
    CHECK(scene.node.endpoint->half_open() == 0);
  }
}

// RFC 4555 3.9.
TEST_CASE("ike: that there is a NAT is told to who has proven itself, and to nobody else") {
  for (const bool good : {true, false}) {
    Scene scene;
    scene.node.set_peer(scene.params, kStart);
    scene.peer.init();
    auto pieces = scene.peer.auth();
    if (!good) pieces[2].body.back() ^= 1;
    Datagram body{0, 0, 0x40, 0x12};  // NO_NATS_ALLOWED with addresses that are not those of the packet
    body.resize(body.size() + 12, 9);
    pieces.push_back({41, body, false, 0});
    CHECK(scene.peer.ask(ike::Exchange::kAuth, pieces) == (good ? "UNEXPECTED_NAT_DETECTED" : "AUTHENTICATION_FAILED"));
  }
}

TEST_CASE("ike: an SA that is being closed ends with the configuration as any other") {
  Scene scene;
  scene.params.lifetimes.ike = 100s;
  scene.rekeying();
  scene.answer_error(ike::Exchange::kCreateChildSa, kNoProposal);
  scene.node.on_deadline(kStart + 101s);  // the Delete, which the peer does not answer
  scene.node.take_sent();
  CHECK(scene.node.endpoint->ike_sas() == 1);
  auto changed = scene.params;
  changed.outer_sources = {*Prefix::parse("203.0.113.0/24")};
  scene.node.set_peer(changed, kStart + 102s);
  CHECK(scene.node.endpoint->ike_sas() == 0);
}
