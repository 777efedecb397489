// MOBIKE (RFC 4555): addresses change while SAs live; and who may not change them.
#include <catch2/catch.hpp>

#include "tests/sim/ike_moving_pair.h"
#include "tests/sim/ike_scripted_responder.h"

using namespace ike_sim;

namespace {

bool is_esp(const Sent& s) {
  return s.bytes.size() > 4 && s.bytes[0] + s.bytes[1] + s.bytes[2] + s.bytes[3] > 0 && s.from.port != 500;
}

Piece notify(ike::NotifyType type, const Datagram& data = {}) {
  return {41, body_from([&](ike::Chain& c) { append(c, type, data); }), false, 0};
}

// 192.0.2.1, 192.0.2.2, ports 500 and 500.
const Datagram kNoNat{192, 0, 2, 1, 192, 0, 2, 2, 1, 244, 1, 244};

enum class Nat : std::uint8_t { kUnsaid, kPeer };

struct Scripted {
  explicit Scripted(bool mobike, Nat nat = Nat::kUnsaid) : node(22, "192.0.2.2"), peer(node, kStart) {
    node.keyd.keys["psk"] = Datagram(32, 7);
    node.set_peer(Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24"), kStart);
    peer.nat = nat == Nat::kPeer;
    peer.init();
    if (peer.nat) peer.to = 4500, peer.from.port = 40001;  // RFC 7296 2.23: IKE_AUTH on port 4500
    auto pieces = peer.auth();
    if (mobike) pieces.push_back(notify(ike::NotifyType::kMobikeSupported));
    answer = peer.ask(ike::Exchange::kAuth, pieces);
  }
  std::string update(std::vector<Piece> more = {}) {
    more.insert(more.begin(), notify(ike::NotifyType::kUpdateSaAddresses));
    return peer.ask(ike::Exchange::kInformational, more);
  }
  // Where the node sends ESP.
  SocketAddress esp_to() {
    node.send(sim::ipv4_packet("10.2.0.5", "10.1.0.5", 100), kStart);
    const auto sent = node.take_sent();
    return sent.empty() ? SocketAddress{} : sent.back().to;
  }
  // Where its next request goes: it asks whether the peer lives.
  SocketAddress liveness_to() {
    node.on_deadline(kStart + 100s);
    const auto sent = node.take_sent();
    return sent.empty() ? SocketAddress{} : sent.back().to;
  }
  // The cookie of the request that the node has just sent there.
  Datagram cookie(const Sent& sent) { return peer.notify_in(sent, ike::NotifyType::kCookie2).value(); }
  void answer_cookie(std::uint32_t id, const Datagram& cookie) {
    const Datagram octets = chain_of({notify(ike::NotifyType::kCookie2, cookie)});
    peer.answer(ike::Exchange::kInformational, id, {ike::PayloadType::kNotify, octets});
  }
  Node node;
  ScriptedPeer peer;
  std::string answer;
};

}  // namespace

// RFC 4555 3.1, 3.3.
TEST_CASE("ike mobike: both ends speak it, and IKE goes on in UDP 4500") {
  MovingPair pair;
  pair.connect();
  REQUIRE(pair.up());
  CHECK(pair.carried == 4);
  pair.run(pair.now + 60s);  // both have asked whether the other lives
  REQUIRE(pair.seen.size() > 4);
  for (std::size_t i = 4; i < pair.seen.size(); ++i) CHECK(pair.seen[i].to.port == 4500);
}

// RFC 4555 3.5.
TEST_CASE("ike mobike: the beginning end moves, nothing is made anew and packets go on both ways") {
  MovingPair pair;
  pair.connect();
  REQUIRE(pair.up());
  const std::size_t before = pair.b.events_of(EventKind::kHandshakeDone);
  pair.a_moves_to(kElsewhere);
  pair.run(pair.now + 1s);
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 1);
  CHECK(pair.b.told("it was at "));
  CHECK(pair.b.counters().path->remote == SocketAddress{kElsewhere, 4500});
  CHECK(pair.carries());
  CHECK(pair.b.events_of(EventKind::kHandshakeDone) == before);
  CHECK(pair.a.events_of(EventKind::kTunnelDown) + pair.b.events_of(EventKind::kTunnelDown) == 0);
}

TEST_CASE("ike mobike: it comes through loss and repetition, and through rekeyings") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    struct Lossy : Pair {
      explicit Lossy(std::uint64_t seed) : Pair({.seed = seed, .loss_per_mille = 200, .repeat_per_mille = 200}) {}
    } pair(seed);
    pair.b_at_a.lifetimes.ike = 120s;
    pair.connect(130s);
    REQUIRE(pair.up());
    for (const char* const to : {"198.51.100.7", "198.51.100.8", "192.0.2.1"}) {
      pair.a.address = *tunnel::wire::IpAddress::parse(to);
      pair.a.endpoint->set_doors(pair.a.doors(false), {pair.a.address});
      pair.run(pair.now + 20s);
      CHECK(pair.b.counters().path->remote.address == pair.a.address);
    }
    CHECK(pair.up());
    CHECK(pair.b.events_of(EventKind::kTunnelDown) == 0);
  }
}

TEST_CASE("ike mobike: a second move before the first is answered: only the last counts") {
  MovingPair pair;
  pair.connect();
  pair.a_moves_to(kElsewhere);
  const auto last = *tunnel::wire::IpAddress::parse("198.51.100.8");
  pair.a_moves_to(last);
  pair.run(pair.now + 3s);
  CHECK(pair.b.counters().path->remote.address == last);
  CHECK(pair.carries());
}

// RFC 4555 3.7.
TEST_CASE("ike mobike: no data goes to the new address before it has sent the cookie back") {
  MovingPair pair;
  pair.connect();
  pair.a_moves_to(kElsewhere);
  bool proven = false;
  pair.middle = [&](Sent& s) {
    if (!proven && s.from.address == kElsewhere && s.bytes.size() > 4 + 19 && !is_esp(s) && (s.bytes[4 + 19] & 0x20))
      return false;  // its answers are lost
    return true;
  };
  pair.run(pair.now + 200ms);
  pair.b_sends();
  pair.run(pair.now + 100ms);
  CHECK(pair.seen.back().to.address != kElsewhere);
  CHECK(is_esp(pair.seen.back()));
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 0);
  proven = true;
  pair.run(pair.now + 5s);
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 1);
  CHECK(pair.carries());
}

TEST_CASE("ike mobike: a wrong cookie or none ends the SA, and no data went there") {
  for (const bool wrong : {true, false}) {
    Scripted end(true);
    end.peer.from.address = kElsewhere;
    CHECK(end.update() == "empty");
    CHECK(end.esp_to().address != kElsewhere);
    const Piece piece = notify(ike::NotifyType::kCookie2, Datagram(16, 9));
    const Datagram octets = wrong ? chain_of({piece}) : Datagram{};
    end.peer.answer(ike::Exchange::kInformational, 0,
                    {wrong ? ike::PayloadType::kNotify : ike::PayloadType::kNone, octets});
    CHECK(end.node.told("does not send our COOKIE2 back"));
    CHECK_FALSE(end.node.counters().up);
  }
}

// RFC 4555 4.2.5: the whole cookie and nothing else.
TEST_CASE("ike mobike: a cookie that is cut or goes on is a wrong one") {
  for (const int change : {-1, 0, 1}) {
    Scripted end(true);
    end.peer.from.address = kElsewhere;
    CHECK(end.update() == "empty");
    REQUIRE(end.peer.more.size() == 1);
    Datagram cookie = end.cookie(end.peer.more[0]);
    cookie.resize(static_cast<std::size_t>(static_cast<int>(cookie.size()) + change));
    end.answer_cookie(0, cookie);
    CHECK(end.node.told("does not send our COOKIE2 back") == (change != 0));
    CHECK(end.node.counters().up == (change == 0));
  }
}

// RFC 4555 3.7: what is proven is the place that the cookie went to and came back from.
TEST_CASE("ike mobike: the right cookie from another place proves nothing, and is asked for again") {
  Scripted end(true);
  const SocketAddress before = end.peer.from;
  end.peer.from.address = kElsewhere;
  CHECK(end.update() == "empty");
  REQUIRE(end.peer.more.size() == 1);
  CHECK(end.peer.more[0].to.address == kElsewhere);
  end.peer.from = before;
  end.answer_cookie(0, end.cookie(end.peer.more[0]));
  CHECK(end.node.events_of(EventKind::kPeerMoved) == 0);
  const auto again = end.node.take_sent();
  REQUIRE(again.size() == 1);
  CHECK(again[0].to.address == kElsewhere);
  CHECK(end.esp_to().address == before.address);
  end.peer.from.address = kElsewhere;
  end.answer_cookie(1, end.cookie(again[0]));
  CHECK(end.node.events_of(EventKind::kPeerMoved) == 1);
  CHECK(end.esp_to().address == kElsewhere);
}

TEST_CASE("ike mobike: who moves on or back while the cookie is under way is where it said last") {
  const SocketAddress last{*tunnel::wire::IpAddress::parse("198.51.100.8"), 500};
  for (const bool back : {true, false}) {
    Scripted end(true);
    const SocketAddress before = end.peer.from;
    end.peer.from.address = kElsewhere;
    CHECK(end.update() == "empty");
    REQUIRE(end.peer.more.size() == 1);
    const Datagram cookie = end.cookie(end.peer.more[0]);
    end.peer.from = back ? before : last;
    CHECK(end.update() == "empty");
    end.peer.from.address = kElsewhere;
    end.answer_cookie(0, cookie);
    CHECK(end.node.events_of(EventKind::kPeerMoved) == 0);
    const auto sent = end.node.take_sent();
    REQUIRE(sent.size() == (back ? 0 : 1));  // there is nothing to prove, or the last place
    CHECK(end.esp_to().address == before.address);
    if (back) continue;
    CHECK(sent[0].to == last);
    end.peer.from = last;
    end.answer_cookie(1, end.cookie(sent[0]));
    CHECK(end.esp_to().address == last.address);
  }
}

TEST_CASE("ike mobike: a cookie that went to another port than the peer has now proves nothing") {
  Scripted end(true);
  end.peer.from.address = kElsewhere;
  CHECK(end.update() == "empty");
  REQUIRE(end.peer.more.size() == 1);
  const Datagram cookie = end.cookie(end.peer.more[0]);
  end.peer.from.port = end.peer.to = 4500;  // RFC 4555 3.3, while the cookie is under way
  CHECK(end.peer.ask(ike::Exchange::kInformational, {}) == "empty");
  end.answer_cookie(0, cookie);
  CHECK(end.node.events_of(EventKind::kPeerMoved) == 0);
  const auto again = end.node.take_sent();
  REQUIRE(again.size() == 1);
  CHECK(again[0].to == end.peer.from);
}

// RFC 4555 3.3: the change to port 4500 is the one that needs no UPDATE_SA_ADDRESSES; everything else does.
TEST_CASE("ike mobike: only the same address with port 4500 at both ends is followed without a word") {
  struct Case {
    const char* address;
    std::uint16_t port, to;
    bool follows;
  };
  for (const Case& c : {Case{"192.0.2.1", 4500, 4500, true}, Case{"198.51.100.7", 4500, 4500, false},
                        Case{"192.0.2.1", 40000, 4500, false}, Case{"192.0.2.1", 4500, 500, false}}) {
    Scripted end(true);
    const SocketAddress before = end.peer.from;
    end.peer.from = SocketAddress{*tunnel::wire::IpAddress::parse(c.address), c.port};
    end.peer.to = c.to;
    INFO(c.address << " " << c.port << " to " << c.to);
    CHECK(end.peer.ask(ike::Exchange::kInformational, {}) == "empty");
    CHECK(end.liveness_to() == (c.follows ? end.peer.from : before));
  }
}

TEST_CASE("ike mobike: who is on port 4500 already is not followed to another") {
  Scripted end(true, Nat::kPeer);
  const SocketAddress before = end.peer.from;
  CHECK(end.liveness_to() == before);
  end.peer.answer(ike::Exchange::kInformational, 0, {ike::PayloadType::kNone, {}});
  end.peer.from.port = 4500;
  CHECK(end.peer.ask(ike::Exchange::kInformational, {}) == "empty");
  CHECK(end.esp_to() == before);
}

// RFC 4555 1.3, 3.5: the addresses are the beginning end's to choose.
TEST_CASE("ike mobike: the answering end does not move us, neither by its word nor by port 4500") {
  for (const bool update : {true, false}) {
    ScriptedResponder end;
    end.up({notify(ike::NotifyType::kMobikeSupported)});
    REQUIRE(end.node.counters().up);
    const auto sent = update ? end.ask({notify(ike::NotifyType::kUpdateSaAddresses)}, {kElsewhere, 500})
                             : end.ask({}, {end.from.address, 4500}, 4500);
    CHECK(sent.size() == 1);  // the answer, and no COOKIE2
    CHECK(end.liveness_to() == end.from);
  }
}

TEST_CASE("ike mobike: an address outside the peer's outer sources is refused and recorded") {
  MovingPair pair;
  pair.a_at_b.outer_sources = {*Prefix::parse("192.0.2.0/24")};
  pair.connect();
  pair.a_moves_to(kElsewhere);
  pair.run(pair.now + 1s);
  CHECK(pair.b.told("wants to move to 198.51.100.7, which is not among its outer sources"));
  CHECK(pair.a.told("UNACCEPTABLE_ADDRESSES"));
  CHECK(pair.b.events_of(EventKind::kPeerMoved) == 0);
  CHECK(pair.b.counters().path->remote.address != kElsewhere);
}

// RFC 4555 3.6.
TEST_CASE("ike mobike: the answering end tells its other addresses when they change") {
  MovingPair pair;
  pair.connect();
  pair.run(pair.now + 1s);
  pair.seen.clear();
  pair.b.endpoint->set_doors(pair.b.doors(false), {pair.b.address, kElsewhere});
  pair.run(pair.now + 1s);
  CHECK(pair.seen.size() == 2);
  CHECK(pair.carries());
}

// RFC 4555 3.9, 3.5.
TEST_CASE("ike mobike: NO_NATS_ALLOWED is answered as it fits") {
  Scripted end(true);
  CHECK(end.update({notify(ike::NotifyType::kNoNatsAllowed, kNoNat)}) == "empty");
  CHECK(end.update({notify(ike::NotifyType::kNoNatsAllowed, Datagram(12, 1))}) == "UNEXPECTED_NAT_DETECTED");
  CHECK(end.update({notify(ike::NotifyType::kNoNatsAllowed)}) == "UNEXPECTED_NAT_DETECTED");
  end.peer.from.address = kElsewhere;
  CHECK(end.update({notify(ike::NotifyType::kNoNatsAllowed, kNoNat)}) == "UNEXPECTED_NAT_DETECTED");
  CHECK(end.esp_to().address != kElsewhere);
  Node node(22, "192.0.2.2");
  node.keyd.keys["psk"] = Datagram(32, 7);
  node.set_peer(Pair::peer("b.example", "a.example", "10.2.0.0/24", "10.1.0.0/24"), kStart);
  ScriptedPeer peer(node, kStart);
  peer.init();
  auto pieces = peer.auth();
  pieces.push_back(notify(ike::NotifyType::kNoNatsAllowed, Datagram(12, 1)));
  CHECK(peer.ask(ike::Exchange::kAuth, pieces) == "UNEXPECTED_NAT_DETECTED");
  CHECK(node.counters().ike_sas == 0);
}

TEST_CASE("ike mobike: without it nobody moves") {
  Scripted end(false);
  CHECK(end.answer.find("MOBIKE") == std::string::npos);
  end.peer.from.address = kElsewhere;
  CHECK(end.update() == "empty");
  CHECK(end.peer.more.empty());  // it asks for no proof, and speaks where it did
  CHECK(end.esp_to().address == *tunnel::wire::IpAddress::parse("192.0.2.1"));
  CHECK(end.liveness_to().address == *tunnel::wire::IpAddress::parse("192.0.2.1"));
  CHECK(Scripted(true).answer.find("MOBIKE_SUPPORTED, NO_ADDITIONAL_ADDRESSES") != std::string::npos);
}

TEST_CASE("ike mobike: a cookie is sent back as it came, and NAT detection is answered") {
  Scripted end(true);
  CHECK(end.peer.ask(ike::Exchange::kInformational, {notify(ike::NotifyType::kCookie2, Datagram(16, 1))}) == "COOKIE2");
  CHECK(end.update({notify(ike::NotifyType::kNatDetectionSourceIp, Datagram(20, 1)),
                    notify(ike::NotifyType::kNatDetectionDestinationIp, Datagram(20, 1)),
                    notify(ike::NotifyType::kCookie2, Datagram(16, 1))}) ==
        "NAT_DETECTION_SOURCE_IP, NAT_DETECTION_DESTINATION_IP, COOKIE2");
}

// RFC 4555 3.5, RFC 7296 2.8: the peer knows the old IKE SA alone, so the new address is told on it too.
TEST_CASE("ike mobike: our answer to the peer's rekeying is lost, and then we move") {
  MovingPair pair;
  pair.a_at_b.lifetimes.ike = 200s;
  pair.connect();
  REQUIRE(pair.up());
  bool lost = false;
  const auto old = pair.a.address;
  pair.middle = [&](Sent& s) {
    if (s.from.address == old && ike_of(s).exchange == 36 && ike_of(s).response) {
      lost = true;
      return false;
    }
    return true;
  };
  for (int i = 0; i < 2500 && !lost; ++i) pair.run(pair.now + 100ms);
  REQUIRE(lost);
  pair.a_moves_to(kElsewhere);
  const auto moved = pair.now;
  int good = 0;  // seconds until traffic goes both ways
  for (int i = 0; i < 60; ++i) {
    pair.a.received.clear(), pair.b.received.clear();
    pair.a_sends(), pair.b_sends();
    pair.run(pair.now + 5s);
    if (pair.a.received.size() == 1 && pair.b.received.size() == 1) {
      good = static_cast<int>((pair.now - moved) / 1s);
      break;
    }
  }
  INFO("both ways after s: " << good);
  CHECK(good > 0);
  CHECK(good <= 15);
}

// RFC 4555 3.5: what was under way on the IKE SA that was replaced is said again on its heir.
TEST_CASE("ike mobike: an UPDATE_SA_ADDRESSES is outstanding while the peer rekeys the IKE SA") {
  MovingPair pair;
  pair.a_at_b.lifetimes.ike = 200s;
  pair.connect();
  REQUIRE(pair.up());
  bool asked = false;
  // b's requests for the rekeying still reach a after it moved; a's UPDATE does not come through before.
  pair.middle = [&](Sent& s) {
    if (s.from.address == pair.b.address && ike_of(s).exchange == 36 && !ike_of(s).response) {
      if (!asked) {
        asked = true;
        return false;
      }
      s.to.address = pair.a.address;
    }
    return true;
  };
  for (int i = 0; i < 2500 && !asked; ++i) pair.run(pair.now + 100ms);
  REQUIRE(asked);
  auto inner = pair.middle;
  bool answered = false;
  pair.middle = [&](Sent& s) {
    if (s.from.address == kElsewhere && ike_of(s).exchange == 36 && ike_of(s).response) answered = true;
    if (s.from.address == kElsewhere && ike_of(s).exchange == 37 && !ike_of(s).response && !answered) return false;
    return inner(s);
  };
  pair.a_moves_to(kElsewhere);
  pair.run(pair.now + 60s);
  REQUIRE(answered);
  CHECK(pair.b.counters().path->remote.address == kElsewhere);
  CHECK(pair.carries());
  pair.run(pair.now + 20min);
  CHECK(pair.carries());
}
