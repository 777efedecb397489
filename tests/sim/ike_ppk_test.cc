// Postquantum preshared keys (RFC 8784): who has one, who requires it, and what then comes up.
#include <catch2/catch.hpp>

#include "tests/sim/ike_certified_pair.h"
#include "tests/sim/ike_scene.h"

using namespace ike_sim;

namespace {

void give_ppks(Pair& pair, bool a_requires, bool b_requires) {
  pair.b_at_a.ppk = ike::PpkParams{"ppk.example", "ppk", a_requires};
  pair.a_at_b.ppk = ike::PpkParams{"ppk.example", "ppk", b_requires};
  pair.a.keyd.keys["ppk"] = pair.b.keyd.keys["ppk"] = Datagram(44, 'p');
}

bool with_ppk(const Node& node) {
  return node.counters().negotiated.ends_with("; PPK");
}

}  // namespace

// RFC 8784 3.
TEST_CASE("ike ppk: both have it, required or not: it is used, in four messages and through rekeyings") {
  for (const int which : {0, 1, 2, 3}) {
    Pair pair;
    give_ppks(pair, which & 1, which & 2);
    pair.b_at_a.lifetimes.ike = 60s, pair.b_at_a.lifetimes.child = 40s;
    pair.connect(1s);
    REQUIRE(pair.up());
    CHECK(pair.carried == 4);
    CHECK((with_ppk(pair.a) && with_ppk(pair.b)));
    pair.run(pair.now + 120s);
    CHECK(pair.carries());
    CHECK((with_ppk(pair.a) && with_ppk(pair.b)));
  }
}

TEST_CASE("ike ppk: with certificates as well") {
  for (const bool b_has : {true, false}) {
    CertifiedPair pair;
    give_ppks(pair, false, false);
    if (!b_has) pair.a_at_b.ppk.reset();
    pair.connect(2s);
    REQUIRE(pair.up());
    CHECK(with_ppk(pair.a) == b_has);
    CHECK(pair.carries());
  }
}

TEST_CASE("ike ppk: one end alone has it and does not insist: up without") {
  for (const bool a_has : {true, false}) {
    Pair pair;
    give_ppks(pair, false, false);
    (a_has ? pair.a_at_b : pair.b_at_a).ppk.reset();
    pair.connect(2s);
    REQUIRE(pair.up());
    CHECK_FALSE(with_ppk(pair.a));
    CHECK_FALSE(with_ppk(pair.b));
    CHECK(pair.carries());
  }
}

// RFC 8784 5: the responder speaks of PPKs because of another facility.
TEST_CASE("ike ppk: NO_PPK_AUTH counts where the responder has no PPK of this name, unless one end insists") {
  for (const int insists : {0, 1, 2}) {
    Pair pair;
    give_ppks(pair, insists == 1, insists == 2);
    pair.a_at_b.ppk->id = "other.example";
    pair.connect(2s);
    CHECK(pair.up() == (insists == 0));
    CHECK_FALSE(with_ppk(pair.b));
    if (insists == 0) CHECK(pair.carries());
    if (insists == 1) CHECK(pair.b.told("insists on a PPK that we do not have"));
    if (insists == 2) CHECK(pair.b.told("the peer names another PPK"));
  }
}

TEST_CASE("ike ppk: required and not there is refused by either end") {
  Pair beginning;
  give_ppks(beginning, true, false);
  beginning.a_at_b.ppk.reset();
  beginning.connect(2s);
  CHECK_FALSE(beginning.up());
  CHECK(beginning.a.told("does not speak of PPKs"));
  Pair answering;
  give_ppks(answering, false, true);
  answering.b_at_a.ppk.reset();
  answering.connect(2s);
  CHECK_FALSE(answering.up());
  CHECK(answering.b.told("the peer does not use the PPK"));
}

// RFC 8784 3: who has not said USE_PPK in IKE_SA_INIT uses none; 5.1: an identity of another type is another.
TEST_CASE("ike ppk: one that is named without USE_PPK, or otherwise, does not count though AUTH is made with it") {
  struct Case {
    bool spoken;
    std::string named;
    bool good;
  };
  for (const Case& c : {Case{true, "\x02ppk.example", true}, Case{false, "\x02ppk.example", false},
                        Case{true, "\x01ppk.example", false}, Case{true, "\x02ppk.exampl", false},
                        Case{true, "\x02ppk.examples", false}, Case{true, "\x02ppq.example", false},
                        Case{true, "\x02", false}, Case{true, "", false}}) {
    Scene scene;
    const Datagram ppk(44, 'p');
    scene.node.keyd.keys["ppk"] = ppk;
    scene.params.ppk = ike::PpkParams{"ppk.example", "ppk", false};
    scene.node.set_peer(scene.params, kStart);
    scene.peer.use_ppk = c.spoken;
    scene.peer.init();
    ike::IkeKeys& keys = scene.peer.sa.keys;
    for (auto* const key : {&keys.d, &keys.pi, &keys.pr})
      *key = ike::mix_ppk(scene.peer.sa.suite.prf, ppk, key->expose());
    auto pieces = scene.peer.auth();
    const Datagram id(c.named.begin(), c.named.end());
    pieces.push_back(
        {41, body_from([&](ike::Chain& chain) { append(chain, ike::NotifyType::kPpkIdentity, id); }), false, 0});
    INFO(c.spoken << " " << c.named);
    const std::string answer = scene.peer.ask(ike::Exchange::kAuth, pieces);
    CHECK((answer == "AUTHENTICATION_FAILED") == !c.good);
    CHECK(scene.node.told("insists on a PPK that we do not have") == !c.good);
    CHECK(with_ppk(scene.node) == c.good);
  }
}

// RFC 8784 3: the answer speaks of PPKs to who does, and only where somebody may come from who has one.
TEST_CASE("ike ppk: USE_PPK is answered to who said it, from where a facility with a PPK may come") {
  for (const int who : {0, 1, 2}) {
    Scene scene;
    scene.params.ppk = ike::PpkParams{"ppk.example", "ppk", false};
    if (who == 2) scene.params.outer_sources = {*Prefix::parse("203.0.113.0/24")};
    scene.node.set_peer(scene.params, kStart);
    auto other = Pair::peer("b.example", "c.example", "10.2.0.0/24", "10.3.0.0/24");  // has none, comes from anywhere
    other.id = {2};
    scene.node.set_peer(other, kStart);
    scene.peer.use_ppk = who != 1;
    scene.peer.make_first();
    scene.node.receive(scene.peer.first(), scene.peer.from, 500, kStart);
    const auto sent = scene.node.take_sent();
    REQUIRE(sent.size() == 1);
    const auto payloads = ike::parse_message(sent[0].bytes, *ike::read_header(sent[0].bytes));
    const auto notifies = ike::parse_notifies(*payloads);
    CHECK((ike::find(*notifies, ike::NotifyType::kUsePpk) != nullptr) == (who == 0));
  }
}

TEST_CASE("ike ppk: different keys under one name are refused, though the preshared key is right") {
  Pair pair;
  give_ppks(pair, false, false);
  pair.b.keyd.keys["ppk"][0] = 'q';
  pair.connect(2s);
  CHECK_FALSE(pair.a.counters().up);
  CHECK_FALSE(pair.b.counters().up);
  CHECK(pair.b.told("the preshared key or the PPK is not the same at both ends"));
}

TEST_CASE("ike ppk: a key daemon without it ends the attempt") {
  for (const bool at_a : {true, false}) {
    Pair pair;
    give_ppks(pair, false, false);
    (at_a ? pair.a : pair.b).keyd.keys.erase("ppk");
    pair.connect(2s);
    CHECK_FALSE(pair.up());
    CHECK((at_a ? pair.a : pair.b).told("our PPK cannot be used"));
  }
}

TEST_CASE("ike ppk: required from now on ends what was made without; no longer required ends nothing") {
  Pair pair;
  pair.connect(2s);
  REQUIRE(pair.up());
  give_ppks(pair, false, false);
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.counters().up);
  pair.a_at_b.ppk->required = true;
  pair.b.set_peer(pair.a_at_b, pair.now);
  CHECK(pair.b.endpoint->ike_sas() == 0);
}
