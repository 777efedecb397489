// CREATE_CHILD_SA of a peer that has the keys and says what no peer of ours would: nonces, groups and public values
// that do not fit, as a request and as an answer.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scene.h"

using namespace ike_sim;
using tunnel::crypto::Group;

namespace {

constexpr Group kAsked = ScriptedPeer::kGroup;  // of our public value, and of the node's

std::vector<Piece> with_nonce(std::vector<Piece> pieces, std::size_t size) {
  for (Piece& piece : pieces)
    if (piece.type == 40) piece.body = Datagram(size, 5);
  return pieces;
}

// The public value under another group's number.
std::vector<Piece> with_group(std::vector<Piece> pieces, Group group) {
  const auto number = static_cast<std::uint16_t>(group);
  for (Piece& piece : pieces)
    if (piece.type == 34)
      piece.body[0] = static_cast<std::uint8_t>(number >> 8), piece.body[1] = static_cast<std::uint8_t>(number);
  return pieces;
}

// The node rekeys its CHILD SA or its IKE SA, and we answer.
struct Answering : Scene {
  explicit Answering(bool rekeys_ike) : of_ike(rekeys_ike) {
    (of_ike ? params.lifetimes.ike : params.lifetimes.child) = 100s;
    params.profile.groups = {kAsked, Group::kEcp384};
    rekeying();
  }
  std::vector<Piece> good(Group group = kAsked) {
    auto pieces = of_ike ? peer.rekey_ike() : peer.child();
    if (of_ike) {
      ike::IkeChoice choice = peer.sa.suite;
      choice.group = group, choice.proposal = 1;
      pieces[0].body = body_from([&](ike::Chain& c) { append(c, std::array{ike::answer(choice, ike::Spi{77})}); });
      return pieces;
    }
    ike::EspChoice choice;
    choice.cipher = params.profile.esp.front(), choice.group = group, choice.esn = true;
    pieces[0].body = body_from([&](ike::Chain& c) { append(c, std::array{ike::answer(choice, 0x55667788)}); });
    std::swap(pieces[3].body, pieces[4].body);  // TSi is the node's side now
    return pieces;
  }
  // True: something was made of it.
  bool taken(const std::vector<Piece>& pieces) {
    const auto before = node.counters().handshakes;
    const Datagram octets = chain_of(pieces);
    peer.answer(ike::Exchange::kCreateChildSa, 0, {static_cast<ike::PayloadType>(pieces[0].type), octets});
    CHECK(node.told("is not what we proposed") == (node.counters().handshakes == before));
    return node.counters().handshakes > before;
  }
  bool of_ike;
};

}  // namespace

// RFC 7296 2.10: half the key of the prf, which is HMAC-SHA-384 here; 3.9: 16 to 256.
TEST_CASE("ike create child: a nonce that is too short for the prf, or too long for any, is INVALID_SYNTAX") {
  for (const bool of_ike : {true, false})
    for (const auto& [size, good] : {std::pair{15u, false}, {23u, false}, {24u, true}, {256u, true}, {257u, false}}) {
      Scene scene;
      scene.up();
      REQUIRE(scene.peer.sa.suite.prf == tunnel::crypto::Prf::kHmacSha384);
      const auto pieces = with_nonce(of_ike ? scene.peer.rekey_ike() : scene.peer.child(), size);
      INFO(of_ike << " " << size);
      const std::string answer = scene.peer.ask(ike::Exchange::kCreateChildSa, pieces);
      CHECK(answer.starts_with(good ? "payload 33" : "INVALID_SYNTAX"));
      CHECK(scene.node.counters().up == good);  // RFC 7296 2.21.3: fatal
    }
}

TEST_CASE("ike create child: an answer whose nonce is too short, or too long, makes nothing") {
  for (const bool of_ike : {true, false})
    for (const auto& [size, good] : {std::pair{23u, false}, {24u, true}, {256u, true}, {257u, false}}) {
      Answering scene(of_ike);
      INFO(of_ike << " " << size);
      CHECK(scene.taken(with_nonce(scene.good(), size)) == good);
    }
}

// RFC 7296 1.2, 1.3: the public values of both ends are of one group; lengths alone do not tell.
TEST_CASE("ike create child: an answer whose public value has another group's number makes nothing") {
  for (const bool of_ike : {true, false}) {
    CHECK(Answering(of_ike).taken(Answering(of_ike).good()));
    Answering scene(of_ike);
    CHECK_FALSE(scene.taken(with_group(scene.good(Group::kEcp384), Group::kEcp384)));
  }
}

// RFC 7296 1.3, 2.7: only to one that we proposed, and what asks for another is a refusal, not followed at once.
TEST_CASE("ike create child: INVALID_KE_PAYLOAD leads to no group that was not proposed, and to no storm") {
  for (const bool of_ike : {true, false})
    for (const auto& [group, follows] : {std::pair{Group::kEcp384, true}, {kAsked, false}, {Group{31}, false}}) {
      Answering scene(of_ike);
      const auto number = static_cast<std::uint8_t>(group);
      const Datagram octets = chain_of({{41, {0, 0, 0, 17, 0, number}, false, 0}});  // INVALID_KE_PAYLOAD
      scene.peer.answer(ike::Exchange::kCreateChildSa, 0, {ike::PayloadType::kNotify, octets});
      scene.node.on_deadline(kStart + 96s);
      INFO(of_ike << " " << static_cast<int>(number));
      CHECK(scene.node.take_sent().size() == (follows ? 1 : 0));
      CHECK(scene.node.told("with INVALID_KE_PAYLOAD") == !follows);
      CHECK(scene.node.counters().up);
    }
}

TEST_CASE("ike create child: who asks for ever other groups is followed three times") {
  for (const bool of_ike : {true, false}) {
    Answering scene(of_ike);
    std::size_t asked = 0;
    for (std::uint32_t id = 0; id < 10; ++id) {
      const Datagram octets = chain_of({{41, {0, 0, 0, 17, 0, static_cast<std::uint8_t>(id % 2 ? 19 : 20)}, false, 0}});
      scene.peer.answer(ike::Exchange::kCreateChildSa, id, {ike::PayloadType::kNotify, octets});
      asked += scene.node.take_sent().size();
    }
    CHECK(asked == 3);
    CHECK(scene.node.counters().up);
  }
}

// RFC 7296 2.25: MUST NOT immediately retry.
TEST_CASE("ike create child: a refused rekeying of a used up CHILD SA is not asked for with every packet") {
  Node node(22, "192.0.2.2");
  ScriptedPeer peer(node, kStart);
  node.keyd.keys["psk"] = Datagram(32, 7);
  auto params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
  params.lifetimes.liveness = 0s;
  params.lifetimes.child_bytes = 1000;
  node.set_peer(params, kStart);
  peer.init();
  (void)peer.ask(ike::Exchange::kAuth, peer.auth());
  for (const std::uint8_t error : {std::uint8_t{43}, std::uint8_t{14}}) {
    std::size_t asked = 0;
    static std::uint32_t id = 0;
    Instant now = kStart + (error == 43 ? 1s : 30s);
    for (int i = 0; i < 100; ++i, now += 10ms) {  // one second
      node.on_deadline(now);
      node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 900), now);
      bool create = false;
      for (const Sent& s : node.take_sent())
        create |= s.from.port == 500 && s.bytes[18] == 36 && (s.bytes[19] & 0x20) == 0;
      if (!create) continue;
      ++asked;
      peer.at(now);
      const Datagram octets = chain_of({{41, {0, 0, 0, error}, false, 0}});
      peer.answer(ike::Exchange::kCreateChildSa, id++, {ike::PayloadType::kNotify, octets});
    }
    INFO(static_cast<int>(error));
    CHECK(asked <= 1);
  }
}

// RFC 7296 2.25, 2.25.2.
TEST_CASE("ike create child: wider networks that were put off are asked for again") {
  Node node(22, "192.0.2.2");
  ScriptedPeer peer(node, kStart);
  node.keyd.keys["psk"] = Datagram(32, 7);
  auto params = Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24");
  params.lifetimes.liveness = 0s;
  params.endpoint = SocketAddress{*tunnel::wire::IpAddress::parse("192.0.2.1"), 500};
  node.set_peer(params, kStart);
  peer.init();
  (void)peer.ask(ike::Exchange::kAuth, peer.auth());
  params.local_networks = {*Prefix::parse("10.2.0.0/16")};
  node.set_peer(params, kStart + 1s);
  const auto count = [&] {
    std::size_t n = 0;
    for (const Sent& s : node.take_sent()) n += s.from.port == 500 && s.bytes[18] == 36 && (s.bytes[19] & 0x20) == 0;
    return n;
  };
  REQUIRE(count() == 1);
  peer.at(kStart + 1s);
  const Datagram octets = chain_of({{41, {0, 0, 0, 43}, false, 0}});
  peer.answer(ike::Exchange::kCreateChildSa, 0, {ike::PayloadType::kNotify, octets});
  std::size_t again = count();
  for (Instant now = kStart + 2s; now < kStart + 120s; now += 1s) node.on_deadline(now), again += count();
  CHECK(again >= 1);
}
