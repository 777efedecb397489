// A peer with the right keys and the wrong messages: the table (state x exchange x payload missing, twice, empty, of
// wrong length, unknown and critical) with each cell's answer in tests/golden/ike_hostile.txt. SEKISHO_GOLDEN=write
// makes it anew.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/sim/ike_scripted_peer.h"

using namespace ike_sim;

namespace {

enum class Before : std::uint8_t { kHalfOpen, kEstablished };

struct Stage {
  explicit Stage(Before before) : node(22, "192.0.2.2"), peer(node, kStart) {
    node.keyd.keys["psk"] = Datagram(32, 7);
    node.set_peer(Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24"), kStart);
    peer.init();
    if (before == Before::kEstablished) peer.ask(ike::Exchange::kAuth, peer.auth());
  }
  // What stands afterwards.
  std::string state() const {
    const auto counters = node.counters();
    return std::to_string(counters.ike_sas) + " IKE, " + std::to_string(counters.child_sas) + " CHILD";
  }
  Node node;
  ScriptedPeer peer;
};

struct Conversation {
  std::string name;
  Before before;
  ike::Exchange exchange;
  std::function<std::vector<Piece>(ScriptedPeer&)> pieces;
};

const std::vector<Conversation> kConversations = {
    {"half-open, IKE_AUTH", Before::kHalfOpen, ike::Exchange::kAuth, [](ScriptedPeer& p) { return p.auth(); }},
    {"half-open, CREATE_CHILD_SA", Before::kHalfOpen, ike::Exchange::kCreateChildSa,
     [](ScriptedPeer& p) { return p.child(); }},
    {"half-open, INFORMATIONAL", Before::kHalfOpen, ike::Exchange::kInformational,
     [](ScriptedPeer& p) { return std::vector{p.deletes({})}; }},
    {"established, IKE_AUTH", Before::kEstablished, ike::Exchange::kAuth, [](ScriptedPeer& p) { return p.auth(); }},
    {"established, new CHILD SA", Before::kEstablished, ike::Exchange::kCreateChildSa,
     [](ScriptedPeer& p) { return p.child(); }},
    {"established, rekey CHILD SA", Before::kEstablished, ike::Exchange::kCreateChildSa,
     [](ScriptedPeer& p) { return p.child(0x11223344); }},
    {"established, rekey unknown CHILD SA", Before::kEstablished, ike::Exchange::kCreateChildSa,
     [](ScriptedPeer& p) { return p.child(0x11223345); }},
    {"established, rekey IKE SA", Before::kEstablished, ike::Exchange::kCreateChildSa,
     [](ScriptedPeer& p) { return p.rekey_ike(); }},
    {"established, Delete CHILD SA", Before::kEstablished, ike::Exchange::kInformational,
     [](ScriptedPeer& p) { return std::vector{p.deletes({0x11223344})}; }},
    {"established, Delete unknown CHILD SA", Before::kEstablished, ike::Exchange::kInformational,
     [](ScriptedPeer& p) { return std::vector{p.deletes({0x99999999})}; }},
    {"established, Delete IKE SA", Before::kEstablished, ike::Exchange::kInformational,
     [](ScriptedPeer& p) { return std::vector{p.deletes({})}; }},
    {"established, nothing", Before::kEstablished, ike::Exchange::kInformational,
     [](ScriptedPeer&) { return std::vector<Piece>{}; }},
};

struct Change {
  std::string name;
  std::function<void(std::vector<Piece>&, std::size_t)> apply;
};

const std::vector<Change> kChanges = {
    {"missing", [](std::vector<Piece>& p, std::size_t i) { p.erase(p.begin() + static_cast<std::ptrdiff_t>(i)); }},
    {"twice",
     [](std::vector<Piece>& p, std::size_t i) { p.insert(p.begin() + static_cast<std::ptrdiff_t>(i), Piece(p[i])); }},
    {"empty", [](std::vector<Piece>& p, std::size_t i) { p[i].body.clear(); }},
    {"cut", [](std::vector<Piece>& p, std::size_t i) { p[i].body.pop_back(); }},
    {"longer than it is", [](std::vector<Piece>& p, std::size_t i) { p[i].wrong_length = 1000; }},
    {"shorter than its header",
     [](std::vector<Piece>& p, std::size_t i) { p[i].wrong_length = -static_cast<int>(p[i].body.size()) - 1; }},
    {"with a critical flag", [](std::vector<Piece>& p, std::size_t i) { p[i].critical = true; }},
    {"of an unknown type", [](std::vector<Piece>& p, std::size_t i) { p[i].type = 200; }},
    {"of an unknown type, critical",
     [](std::vector<Piece>& p, std::size_t i) { p[i].type = 200, p[i].critical = true; }},
};

std::string cell(const Conversation& talk, const std::string& what,
                 const std::function<void(std::vector<Piece>&)>& change) {
  Stage stage(talk.before);
  auto pieces = talk.pieces(stage.peer);
  change(pieces);
  const std::string answer = stage.peer.ask(talk.exchange, pieces);
  return talk.name + " | " + what + " | " + answer + " | " + stage.state() + "\n";
}

std::string table() {
  std::string text;
  for (const Conversation& talk : kConversations) {
    text += cell(talk, "as it should be", [](auto&) {});
    text += cell(talk, "unknown payload added", [](auto& p) { p.push_back({200, {1, 2, 3}, false, 0}); });
    text += cell(talk, "unknown critical payload added", [](auto& p) { p.push_back({200, {1, 2, 3}, true, 0}); });
    text += cell(talk, "Vendor ID added", [](auto& p) { p.push_back({43, {1, 2, 3}, false, 0}); });
    Stage counted(talk.before);
    const std::size_t pieces = talk.pieces(counted.peer).size();
    for (std::size_t i = 0; i < pieces; ++i) {
      const int type = talk.pieces(counted.peer)[i].type;
      for (const Change& change : kChanges)
        text += cell(talk, "payload " + std::to_string(type) + " " + change.name, [&](auto& p) { change.apply(p, i); });
    }
  }
  return text;
}

}  // namespace

TEST_CASE("ike hostile: every cell of the table has its answer") {
  const std::string path = SEKISHO_SOURCE_DIR "/tests/golden/ike_hostile.txt";
  const std::string now = table();
  if (std::getenv("SEKISHO_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << now;
  std::stringstream before;
  before << std::ifstream(path).rdbuf();
  std::istringstream now_lines(now), before_lines(before.str());
  std::string a, b;
  while (std::getline(now_lines, a)) {
    CHECK(std::getline(before_lines, b));
    CHECK(a == b);
  }
  CHECK_FALSE(std::getline(before_lines, b));
}

// Rules that hold in every cell: a half-open SA that got something wrong never becomes an SA, and a good Delete is the
// only thing of one exchange that takes an IKE SA away, next to INVALID_SYNTAX.
TEST_CASE("ike hostile: nothing wrong makes an SA") {
  for (const Change& change : kChanges) {
    for (std::size_t i = 0; i < 3; ++i) {  // IDi, IDr, AUTH
      Stage fresh(Before::kHalfOpen);
      auto pieces = fresh.peer.auth();
      const auto good = pieces;
      change.apply(pieces, i);
      const bool harmless = change.name == "with a critical flag" ||
                            (i == 1 && change.name != "twice" && change.name.find("critical") == std::string::npos);
      fresh.peer.ask(ike::Exchange::kAuth, pieces);
      if (!harmless) {
        INFO(change.name << " of payload " << i);
        CHECK(fresh.node.counters().ike_sas == 0);
      }
    }
  }
}

// RFC 4555 4.2.4. What is sent back has the size the peer chose, within bounds.
TEST_CASE("ike hostile: COOKIE2 is sent back, a huge one is not") {
  for (const auto& [size, answer] :
       {std::pair{8u, "COOKIE2"}, std::pair{64u, "COOKIE2"}, std::pair{65u, "empty"}, std::pair{30000u, "empty"}}) {
    Stage stage(Before::kEstablished);
    Datagram body{0, 0, 0x40, 0x11};  // 16401
    body.resize(4 + size, 7);
    CHECK(stage.peer.ask(ike::Exchange::kInformational, {{41, body, false, 0}}) == answer);
    CHECK(stage.state() == "1 IKE, 1 CHILD");
  }
}
