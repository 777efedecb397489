// ESP of a peer that has the keys and seals whatever a test wants: what it carries, and where it comes from.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scene.h"

using namespace ike_sim;

namespace {

const SocketAddress kElsewhere{*tunnel::wire::IpAddress::parse("198.51.100.7"), 40002};

// Who is behind a NAT, as IKE_SA_INIT says it; and the port of IKE_AUTH.
struct Ways {
  bool peer_behind = true, node_behind = false, mobike = false;
  std::uint16_t port = 4500;
};

struct EspScene : Scene {
  explicit EspScene(const Ways& ways = {}) {
    node.endpoint->set_doors(node.doors(true), {node.address});
    node.set_peer(params, kStart);
    peer.nat = true, peer.behind_nat = ways.peer_behind, peer.node_behind_nat = ways.node_behind;
    peer.init();
    if (ways.port == 4500) peer.to = 4500, peer.from.port = 40001;
    auto pieces = peer.auth();
    if (ways.mobike)
      pieces.push_back({41, body_from([](ike::Chain& c) { append(c, ike::NotifyType::kMobikeSupported); }), false, 0});
    peer.ask(ike::Exchange::kAuth, pieces);
    REQUIRE(node.counters().up);
  }
  void esp_from(const SocketAddress& source, std::uint16_t port = 4500) {
    peer.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), source, port);
    CHECK(node.received.size() == 1);
  }
  // Where the node's packets go.
  tunnel::wire::IpAddress sends_to() {
    node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
    return node.take_sent().at(0).to.address;
  }
};

}  // namespace

// RFC 4301 5.2: both ends of what comes out are within what was agreed.
TEST_CASE("ike esp: a packet that is not between the agreed networks is not delivered, though its keys are right") {
  for (const auto& [source, destination] :
       {std::pair{"10.9.0.5", "10.2.0.5"}, {"10.1.0.5", "10.9.0.5"}, {"10.2.0.5", "10.1.0.5"}}) {
    EspScene scene;
    scene.peer.send_esp(sim::ipv4_packet(source, destination, 60), scene.peer.from);
    CHECK(scene.node.received.empty());
    CHECK(scene.node.drops.of(Drop::kInnerSource) == 1);
    CHECK(scene.node.events_of(EventKind::kSourceRefused) == 1);
    scene.peer.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), scene.peer.from);
    CHECK(scene.node.received.size() == 1);
  }
}

namespace {

// The same identity once more, with a session of its own, from `source`.
ScriptedPeer second_session(EspScene& scene, const SocketAddress& source, bool initial_contact = false,
                            Instant now = kStart) {
  ScriptedPeer second(scene.node, now);
  second.spi = 0x99;
  second.from = source;
  second.nat = true;
  second.init();
  second.to = 4500;
  auto pieces = second.auth();
  if (initial_contact)
    pieces.push_back({41, body_from([](ike::Chain& c) { append(c, ike::NotifyType::kInitialContact); }), false, 0});
  second.ask(ike::Exchange::kAuth, pieces);
  return second;
}

}  // namespace

// One live session of an identity: who proves it from elsewhere takes it over, and that is told.
TEST_CASE("ike esp: a second session of the same identity from elsewhere ends the first, at once and both ways") {
  const bool initial_contact = GENERATE(false, true);
  EspScene scene;
  scene.esp_from(scene.peer.from);
  (void)scene.node.take_sent();
  auto second = second_session(scene, kElsewhere, initial_contact);
  CHECK(scene.node.events_of(EventKind::kPeerMoved) == 1);
  CHECK(scene.node.endpoint->ike_sas() == 1);
  // Its Delete goes to where it was.
  CHECK(std::ranges::any_of(second.more, [&](const Sent& s) { return s.to.address == scene.peer.from.address; }));
  scene.node.received.clear();
  scene.peer.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), scene.peer.from);
  CHECK(scene.node.received.empty());
  CHECK(scene.node.drops.of(Drop::kUnknownReceiver) == 1);
  CHECK(scene.sends_to() == kElsewhere.address);
  second.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), kElsewhere);
  CHECK(scene.node.received.size() == 1);
}

// One that we have told to go, and that does not answer: it opens what still comes, but not once its identity has
// proved itself from elsewhere.
TEST_CASE("ike esp: a session that is closing is barred too when its identity proves itself from elsewhere") {
  EspScene scene;
  const auto end = kStart + scene.params.lifetimes.ike;
  scene.node.on_deadline(end);
  REQUIRE(scene.node.endpoint->ike_sas() == 1);
  const auto packet = sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60);
  scene.peer.at(end);
  auto second = second_session(scene, kElsewhere, false, end);
  scene.node.received.clear();
  scene.peer.send_esp(packet, scene.peer.from);
  CHECK(scene.node.received.empty());
  CHECK(scene.node.drops.of(Drop::kUnknownReceiver) == 1);
  second.send_esp(packet, kElsewhere);
  CHECK(scene.node.received.size() == 1);
}

// Rekeying and reauthentication make before they break.
TEST_CASE("ike esp: a second session from the same address leaves the first") {
  EspScene scene;
  auto port = scene.peer.from;
  port.port = 40099;
  auto second = second_session(scene, port);
  CHECK(scene.node.events_of(EventKind::kPeerMoved) == 0);
  scene.peer.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), scene.peer.from);
  second.send_esp(sim::ipv4_packet("10.1.0.5", "10.2.0.5", 60), port);
  CHECK(scene.node.received.size() == 2);
}

// RFC 7296 2.23: a peer behind a NAT is where its last authenticated packet came from.
TEST_CASE("ike esp: a peer behind a NAT is followed by its packets") {
  EspScene scene;
  scene.esp_from(kElsewhere);
  CHECK(scene.sends_to() == kElsewhere.address);
}

// RFC 7296 2.23: who is behind a NAT itself does not follow; RFC 4555 3.5: with MOBIKE the peer says so instead.
TEST_CASE("ike esp: without a NAT before the peer, with one before us, or with MOBIKE nobody is followed") {
  for (const Ways& ways : {Ways{.peer_behind = false}, Ways{.node_behind = true}, Ways{.mobike = true}}) {
    EspScene scene(ways);
    scene.esp_from(kElsewhere);
    CHECK(scene.sends_to() == scene.peer.from.address);
  }
}

TEST_CASE("ike esp: packets lead IKE to no other kind of socket") {
  EspScene stayed({.port = 500});  // IKE goes on in UDP 500, its packets come in UDP 4500
  stayed.esp_from(kElsewhere);
  CHECK(stayed.sends_to() == stayed.peer.from.address);
  EspScene plain;  // in UDP 4500, and its packets come in protocol 50
  plain.esp_from({kElsewhere.address, 0}, 0);
  CHECK(plain.sends_to() == plain.peer.from.address);
}
