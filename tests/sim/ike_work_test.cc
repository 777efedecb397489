// What one peer with good keys may make us compute and keep: selectors, CHILD SAs, IKE SAs, long messages.
#include <catch2/catch.hpp>

#include "tests/sim/ike_certified_pair.h"
#include "tests/sim/ike_scene.h"
#include "tunnel/ike/work.h"

using namespace ike_sim;

namespace {

Piece payload(std::uint8_t type, const std::vector<ike::Selector>& list) {
  Datagram octets(16384);
  tunnel::wire::Writer writer(octets);
  ike::Chain chain(writer);
  append(chain, static_cast<ike::PayloadType>(type), list);
  chain.end();
  const auto written = writer.written();
  return {type, {written.begin() + 4, written.end()}, false, 0};
}

// `count` selectors over all of 10.2.0.0/16, each with a port of its own.
std::vector<ike::Selector> by_port(std::uint16_t count) {
  std::vector<ike::Selector> list;
  for (std::uint16_t i = 0; i < count; ++i)
    list.push_back({*tunnel::wire::IpAddress::parse("10.2.0.0"), *tunnel::wire::IpAddress::parse("10.2.255.255"), 17,
                    static_cast<std::uint16_t>(20000 + i), static_cast<std::uint16_t>(20000 + i)});
  return list;
}

std::vector<Prefix> networks(int count, const char* start, const char* end) {
  std::vector<Prefix> list;
  for (int i = 0; i < count; ++i) list.push_back(*Prefix::parse(start + std::to_string(i) + end));
  return list;
}

}  // namespace

TEST_CASE("ike work: narrowing takes no more comparisons than it may, whatever is proposed and allowed") {
  std::vector<ike::Selector> allowed;
  for (const Prefix& each : networks(255, "10.2.", ".7/32")) allowed.push_back(ike::Selector::of(each));
  std::size_t steps = 0;
  const auto narrowed = narrow(by_port(64), by_port(64), {allowed, allowed, {}}, steps);
  REQUIRE(narrowed.has_value());
  CHECK(narrowed->reduced);
  CHECK(steps <= 2 * (ike::kNarrowingSteps + 1024));
  // An ordinary one stays far below, and is whole: each of 64 proposed finds its row among 255.
  steps = 0;
  const std::vector<ike::Selector> rows(allowed.begin(), allowed.begin() + 64);
  const auto ordinary = narrow(rows, rows, {allowed, allowed, {}}, steps);
  REQUIRE(ordinary.has_value());
  CHECK_FALSE(ordinary->reduced);
  CHECK(ordinary->ours.size() == 64);
  CHECK(steps < ike::kNarrowingSteps);
}

TEST_CASE("ike work: what narrowing takes is weighed, and a peer that asks on is put off") {
  Scene scene;
  scene.params.profile.pfs_required = false;
  scene.params.local_networks = networks(255, "10.2.", ".7/32");
  scene.node.set_peer(scene.params, kStart);
  scene.peer.init();
  auto auth = scene.peer.auth();
  for (Piece& piece : auth)
    if (piece.type == 45) piece = payload(45, {ike::Selector::of(*Prefix::parse("10.2.0.0/16"))});
  (void)scene.peer.ask(ike::Exchange::kAuth, auth);
  auto pieces = scene.peer.child();
  for (Piece& piece : pieces) {  // refused for the other side, so that no bound of CHILD SAs comes first
    if (piece.type == 44) piece = payload(44, {ike::Selector::of(*Prefix::parse("192.0.2.0/24"))});
    if (piece.type == 45) piece = payload(45, by_port(64));
  }
  int heard = 0;
  while (heard < 2000 && scene.peer.ask(ike::Exchange::kCreateChildSa, pieces) != "TEMPORARY_FAILURE") ++heard;
  CHECK(heard > 100);
  CHECK(heard < static_cast<int>(ike::WorkAllowance::kMost) / 2);  // by key exchanges alone it would be kMost
}

TEST_CASE("ike work: a refusal is put into words once a second") {
  Scene scene;
  scene.up();
  auto pieces = scene.peer.child();
  for (Piece& piece : pieces)
    if (piece.type == 44) piece = payload(44, {ike::Selector::of(*Prefix::parse("192.0.2.0/24"))});
  scene.node.events.clear();
  for (int i = 0; i < 20; ++i) CHECK(scene.peer.ask(ike::Exchange::kCreateChildSa, pieces) == "TS_UNACCEPTABLE");
  CHECK(scene.node.events_of(EventKind::kHandshakeFailed) == 1);
}

TEST_CASE("ike work: a peer that never answers our Delete keeps a handful of IKE SAs") {
  Scene scene;
  scene.node.set_peer(scene.params, kStart);
  scene.peer.answers_cookies = true;
  for (int second = 0; second < 20; ++second)
    for (int i = 0; i < 18; ++i) {
      ++scene.peer.spi;
      scene.peer.nonce[0] = static_cast<std::uint8_t>(scene.peer.spi);
      scene.peer.nonce[1] = static_cast<std::uint8_t>(scene.peer.spi >> 8);
      scene.peer.next_id = 1;
      scene.peer.sa = ike::IkeSa();
      scene.peer.at(kStart + std::chrono::seconds(second));
      scene.node.on_deadline(kStart + std::chrono::seconds(second));
      (void)scene.node.take_sent();
      scene.peer.init();
      if (scene.peer.sa.seals) (void)scene.peer.ask(ike::Exchange::kAuth, scene.peer.auth());
    }
  CHECK(scene.node.counters().handshakes > 300);
  CHECK(scene.node.endpoint->ike_sas() <= 20);
}

TEST_CASE("ike work: the selectors of all CHILD SAs of a peer together are bounded") {
  Scene scene;
  scene.params.local_networks = networks(8, "10.2.", ".0/24");
  scene.params.profile.pfs_required = false;
  scene.node.set_peer(scene.params, kStart);
  scene.peer.init();
  (void)scene.peer.ask(ike::Exchange::kAuth, scene.peer.auth());
  auto pieces = scene.peer.child();
  for (Piece& piece : pieces)
    if (piece.type == 45) piece = payload(45, by_port(64));
  std::string words;
  for (int i = 0; i < 20 && words != "NO_ADDITIONAL_SAS"; ++i)
    words = scene.peer.ask(ike::Exchange::kCreateChildSa, pieces);
  CHECK(words == "NO_ADDITIONAL_SAS");
  CHECK(scene.node.counters().child_sas <= 16);
}

// RFC 7296 2.9, 3.6: 255 selectors on each side and a long chain are still one message.
TEST_CASE("ike work: the longest IKE_AUTH that is asked for is made, with and without fragments") {
  const std::size_t extra = GENERATE(0, 3, 15, 40);
  ike::EndpointParams params;
  params.fragment_size = GENERATE(1232, 200);
  CertifiedPair pair(wish_of("a.example"), wish_of("b.example"), params);
  pair.a_at_b.local_networks = pair.b_at_a.remote_networks = networks(255, "2001:db8:2:", "::/64");
  pair.a_at_b.remote_networks = pair.b_at_a.local_networks = networks(255, "2001:db8:1:", "::/64");
  for (auto* params_of : {&pair.a_at_b, &pair.b_at_a})
    for (std::size_t i = 0; i < extra; ++i) params_of->certificate->chain.push_back(Datagram(1500, 0x30));
  pair.connect();
  const std::string words = pair.b.events.empty() ? "" : pair.b.events.back().detail;
  INFO(words);
  CHECK(pair.a.events.size() + pair.b.events.size() > 0);
  if (extra == 0) CHECK(pair.up());
}

// RFC 4343, RFC 5280 7.2: a certificate's host name is compared without letters' case, so the identity is too.
TEST_CASE("ike work: one certificate cannot prove two facilities whose names differ in letters' case") {
  using Kind = tunnel::crypto::ClaimedIdentity::Kind;
  const authority::Authority root;
  const auto certificate = root.issue(wish_of("a.example"));
  const Datagram upper{'A', '.', 'E', 'x', 'a', 'm', 'p', 'l', 'e'};
  CHECK(names(certificate, tunnel::crypto::ClaimedIdentity{Kind::kFqdn, upper}));
  CHECK(fqdn("a.example") == fqdn("A.Example"));
  CHECK((fqdn("a.example") <=> fqdn("b.example")) == std::weak_ordering::less);
  CHECK_FALSE(fqdn("a.example") == fqdn("a.example."));
}
