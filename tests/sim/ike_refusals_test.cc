// Each refusal of the endpoint alone: what is under the right keys and yet at the wrong moment, with another number,
// from elsewhere, or more than was agreed.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scene.h"

using namespace ike_sim;

namespace {

std::vector<Piece> wider(std::vector<Piece> pieces, std::uint8_t type, const std::string& prefix) {
  const std::vector<ike::Selector> list{ike::Selector::of(*Prefix::parse(prefix))};
  for (Piece& piece : pieces)
    if (piece.type == type)
      piece.body = body_from([&](ike::Chain& c) { append(c, static_cast<ike::PayloadType>(type), list); });
  return pieces;
}

}  // namespace

TEST_CASE("ike: a facility is known by its identity only from its own sources") {
  Scene scene;
  auto other = scene.params;  // so that the door is open to everybody
  other.id = {2}, other.remote_id = fqdn("other.example"), other.remote_networks = {*Prefix::parse("10.3.0.0/24")};
  scene.node.set_peer(other, kStart);
  scene.params.outer_sources = {*Prefix::parse("198.51.100.0/24")};
  scene.node.set_peer(scene.params, kStart);
  scene.peer.init();
  CHECK(scene.peer.ask(ike::Exchange::kAuth, scene.peer.auth()) == "AUTHENTICATION_FAILED");
}

// RFC 7296 2.10: half the key of the prf, which is HMAC-SHA-384 here; 3.9: 16 to 256.
TEST_CASE("ike: a first message whose nonce is too short for the prf, or too long for any, is not answered") {
  for (const auto& [size, good] :
       {std::pair{15u, false}, {16u, false}, {23u, false}, {24u, true}, {256u, true}, {257u, false}}) {
    Scene scene;
    scene.node.set_peer(scene.params, kStart);
    scene.peer.nonce = Datagram(size, 5);
    scene.peer.make_first();
    scene.node.receive(scene.peer.first(), scene.peer.from, 500, kStart);
    INFO(size);
    CHECK(scene.node.take_sent().size() == (good ? 1 : 0));
    CHECK(scene.node.endpoint->half_open() == (good ? 1 : 0));
    CHECK(scene.node.drops.of(Drop::kMalformed) == (good ? 0 : 1));
  }
}

// RFC 7296 2.3.
TEST_CASE("ike: requests and answers count by their numbers alone") {
  Scene scene;
  scene.up();
  CHECK(scene.peer.ask(ike::Exchange::kInformational, {}) == "empty");
  CHECK(scene.peer.ask(ike::Exchange::kInformational, {}) == "empty");
  const auto numbered = [&](std::uint32_t id) {
    return scene.peer.ask_as(scene.peer.header(ike::Exchange::kInformational, id), {ScriptedPeer::deletes({})});
  };
  for (const std::uint32_t id : {0u, 1u, 5u, 100u, UINT32_MAX}) CHECK(numbered(id) == "silence");
  CHECK(scene.node.counters().ike_sas == 1);
  CHECK(numbered(4) == "empty");
  CHECK(scene.node.counters().ike_sas == 0);
}

TEST_CASE("ike: an answer with another number than the request's is none") {
  Scene scene;
  scene.params.lifetimes.child = 100s;
  scene.rekeying();
  const Datagram octets = chain_of({{41, {0, 0, 0, kInvalidSyntax}, false, 0}});
  for (const std::uint32_t id : {1u, 2u, UINT32_MAX})
    scene.peer.answer(ike::Exchange::kCreateChildSa, id, {ike::PayloadType::kNotify, octets});
  CHECK(scene.node.counters().ike_sas == 1);
  scene.answer_error(ike::Exchange::kCreateChildSa, kInvalidSyntax);
  CHECK(scene.node.counters().ike_sas == 0);
}

// RFC 7296 2.6: both SPIs are the SA's name; 3.1: the I flag says who sends.
TEST_CASE("ike: a message names its SA whole, and who sent it") {
  Scene scene;
  scene.up();
  auto wrong = scene.peer.header(ike::Exchange::kInformational, 2);
  wrong.initiator_spi ^= 1;
  CHECK(scene.peer.ask_as(wrong, {ScriptedPeer::deletes({})}) == "silence");
  auto turned = scene.peer.header(ike::Exchange::kInformational, 2);
  turned.from_initiator = false;
  CHECK(scene.peer.ask_as(turned, {ScriptedPeer::deletes({})}) == "silence");
  CHECK(scene.node.counters().ike_sas == 1);
  CHECK(scene.peer.ask_as(scene.peer.header(ike::Exchange::kInformational, 2), {ScriptedPeer::deletes({})}) == "empty");
}

TEST_CASE("ike: sixteen CHILD SAs of one IKE SA, and no more beside them") {
  Scene scene;
  scene.params.profile.pfs_required = false;
  scene.up();
  std::string answer;
  int made = 0;
  for (std::uint32_t i = 0; i < 20; ++i) {
    auto pieces = scene.peer.child();
    const auto proposals = ike::offer_esp(scene.peer.profile, scene.peer.kGroup, 0x60000000 + i, false);
    pieces[0].body = body_from([&](ike::Chain& c) { append(c, proposals); });
    answer = scene.peer.ask(ike::Exchange::kCreateChildSa, pieces);
    made += answer.starts_with("payload 33");
  }
  CHECK(made == 15);  // one is there from the beginning
  CHECK(answer == "NO_ADDITIONAL_SAS");
}

// RFC 7296 2.9: an answer holds no more than was asked for.
TEST_CASE("ike: an answer with selectors wider than ours makes no CHILD SA") {
  for (const int wide : {0, 44, 45}) {
    Scene scene;
    scene.params.lifetimes.child = 100s;
    scene.params.profile.groups = {ScriptedPeer::kGroup};
    scene.rekeying();
    ike::EspChoice choice;
    choice.proposal = 1, choice.cipher = scene.params.profile.esp.front(), choice.group = ScriptedPeer::kGroup;
    choice.esn = true;
    auto pieces = scene.peer.child();  // TSi is the node's side now
    pieces[0].body = body_from([&](ike::Chain& c) { append(c, std::array{ike::answer(choice, 0x55667788)}); });
    pieces = wider(wider(pieces, 44, "10.2.0.0/24"), 45, "10.1.0.0/24");
    if (wide != 0) pieces = wider(pieces, static_cast<std::uint8_t>(wide), "10.0.0.0/8");
    const Datagram octets = chain_of(pieces);
    scene.peer.answer(ike::Exchange::kCreateChildSa, 0, {ike::PayloadType::kSa, octets});
    CHECK(scene.node.told("not what we proposed") == (wide != 0));
    CHECK(scene.node.counters().handshakes == (wide == 0 ? 3 : 2));
  }
}

// RFC 7383 2.3: only what both ends announced.
TEST_CASE("ike: fragments that were not agreed on are dropped") {
  Scene scene;
  scene.up();
  const Datagram octets = chain_of({ScriptedPeer::deletes({}), {43, Datagram(600, 1), false, 0}});
  SeededRng rng(3);
  const auto sealed =
      ike::seal_message(scene.peer.header(ike::Exchange::kInformational, 2), {ike::PayloadType::kDelete, octets},
                        std::optional<std::size_t>(300), *scene.peer.sa.seals, rng);
  REQUIRE((sealed && sealed->size() > 1));
  for (const auto& datagram : *sealed) scene.node.receive(datagram, scene.peer.from, 500, kStart);
  CHECK(scene.node.counters().ike_sas == 1);
}

// RFC 7296 2.4: who begins anew again and again has three at most; the oldest are closed.
TEST_CASE("ike: three IKE SAs of one peer stand at once") {
  Scene scene;
  scene.node.set_peer(scene.params, kStart);
  std::vector<std::unique_ptr<ScriptedPeer>> peers;
  for (std::uint8_t i = 0; i < 6; ++i) {
    peers.push_back(std::make_unique<ScriptedPeer>(scene.node, kStart + i * 1s));
    peers.back()->spi += i, peers.back()->nonce[0] = i;
    peers.back()->init();
    peers.back()->ask(ike::Exchange::kAuth, peers.back()->auth());
  }
  CHECK(scene.node.counters().ike_sas == 3);
}

// RFC 7296 2.23: without a NAT nobody's packets lead us elsewhere.
TEST_CASE("ike: an SA without a NAT stays where it is") {
  Scene scene;
  scene.up();
  scene.peer.from = SocketAddress{*tunnel::wire::IpAddress::parse("198.51.100.7"), 500};
  scene.peer.ask(ike::Exchange::kInformational, {});
  scene.node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
  const auto sent = scene.node.take_sent();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].to.address.to_string() == "192.0.2.1");
}

// RFC 7296 1.4.1, 2.25.2.
TEST_CASE("ike: nothing goes through an IKE SA that has ended, and nothing is made in one that was replaced") {
  Scene ended;
  ended.up();
  ended.node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
  CHECK(ended.node.take_sent().size() == 1);
  CHECK(ended.peer.ask(ike::Exchange::kInformational, {ScriptedPeer::deletes({})}) == "empty");
  ended.node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
  CHECK(ended.node.take_sent().empty());

  Scene replaced;
  replaced.up();
  CHECK(replaced.peer.ask(ike::Exchange::kCreateChildSa, replaced.peer.rekey_ike()).starts_with("payload 33"));
  CHECK(replaced.peer.ask(ike::Exchange::kCreateChildSa, replaced.peer.child()) == "TEMPORARY_FAILURE");
  CHECK(replaced.peer.ask(ike::Exchange::kCreateChildSa, replaced.peer.rekey_ike()) == "TEMPORARY_FAILURE");
  CHECK(replaced.peer.ask(ike::Exchange::kInformational, {}) == "empty");
}

// RFC 7296 2.21.2.
TEST_CASE("ike: a router that does not take our proof is told apart from one that leaves") {
  for (const bool refuses : {true, false}) {
    Scene scene;
    scene.up();
    REQUIRE(scene.node.counters().up);
    const Datagram body = refuses ? Datagram{0, 0, 0, 24} : Datagram{1, 0, 0, 0};
    scene.peer.ask(ike::Exchange::kInformational, {{static_cast<std::uint8_t>(refuses ? 41 : 42), body, false, 0}});
    CHECK_FALSE(scene.node.counters().up);
    CHECK(scene.node.told("the router refuses us (AUTHENTICATION_FAILED)") == refuses);
    CHECK(scene.node.told("the peer ended the IKE SA") != refuses);
    CHECK(scene.node.events_of(EventKind::kHandshakeFailed) == (refuses ? 1 : 0));
  }
}
