// What an endpoint of ours that begins takes as an answer, and what it does not: IKE_SA_INIT in clear, where anybody
// may speak, and IKE_AUTH under the right keys.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scripted_responder.h"

using namespace ike_sim;
using tunnel::crypto::Group;

namespace {

const SocketAddress kElsewhere{*tunnel::wire::IpAddress::parse("198.51.100.7"), 500};

Datagram octets_of(Group group) {
  const auto number = static_cast<std::uint16_t>(group);
  return {static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

int exchange_of(const Sent& sent) {
  return sent.bytes[18];
}

}  // namespace

TEST_CASE("ike answers: a good one makes the SA") {
  ScriptedResponder end;
  end.called();
  const auto sent = end.say(end.init());
  REQUIRE(sent.size() == 1);
  CHECK(exchange_of(sent[0]) == 35);  // IKE_AUTH
  CHECK(end.answer_auth(end.auth()).empty());
  CHECK(end.node.counters().up);
}

// RFC 7296 2.11: an answer comes from where the request went.
TEST_CASE("ike answers: IKE_SA_INIT is not answered from elsewhere") {
  ScriptedResponder end;
  end.called();
  const Datagram good = end.init();
  for (const SocketAddress& source : {kElsewhere, SocketAddress{end.from.address, 501}}) {
    end.node.receive(good, source, 500, kStart);
    end.node.receive(end.init_notify(ike::NotifyType::kCookie, Datagram(16, 3)), source, 500, kStart);
    CHECK(end.node.take_sent().empty());
  }
  CHECK(end.node.drops.of(Drop::kUnknownReceiver) == 4);
  CHECK(end.say(end.init()).size() == 1);
}

// RFC 7296 2.6: 1 to 64 octets.
TEST_CASE("ike answers: a cookie of a length that none has is not sent back, nor the same one twice") {
  ScriptedResponder end;
  end.called();
  const auto cookie = [&](std::size_t size) {
    return end.say(end.init_notify(ike::NotifyType::kCookie, Datagram(size, 3))).size();
  };
  CHECK(cookie(0) == 0);
  CHECK(cookie(65) == 0);
  CHECK(cookie(64) == 1);
  CHECK(cookie(64) == 0);
  CHECK(cookie(1) == 1);
  CHECK(cookie(0) == 0);  // not the first one either
}

TEST_CASE("ike answers: who asks for ever new cookies or groups is followed six times") {
  for (const bool cookies : {true, false}) {
    ScriptedResponder end;
    end.params.profile.groups = {Group::kEcp384, Group::kEcp256};
    end.called();
    std::size_t begun = 0;
    for (std::uint8_t i = 1; i <= 20; ++i) {
      const Group other = end.group() == Group::kEcp384 ? Group::kEcp256 : Group::kEcp384;
      const auto sent = end.say(cookies ? end.init_notify(ike::NotifyType::kCookie, Datagram(16, i))
                                        : end.init_notify(ike::NotifyType::kInvalidKePayload, octets_of(other)));
      begun += sent.size();
      if (!sent.empty()) end.hear(sent[0]);
    }
    CHECK(begun == 6);
    CHECK(end.node.endpoint->ike_sas() == 1);
  }
}

// RFC 7296 1.2, 2.7: only to one that we proposed. Curve25519 is there, and not in the profile.
TEST_CASE("ike answers: INVALID_KE_PAYLOAD leads to no group that was not proposed") {
  ScriptedResponder end;
  end.called();
  for (const Group group : {Group{31}, Group{2}, Group::kNone, end.group()})
    CHECK(end.say(end.init_notify(ike::NotifyType::kInvalidKePayload, octets_of(group))).empty());
  const auto sent = end.say(end.init_notify(ike::NotifyType::kInvalidKePayload, octets_of(Group::kEcp256)));
  REQUIRE(sent.size() == 1);
  end.hear(sent[0]);
  CHECK(end.group() == Group::kEcp256);
}

// RFC 7296 1.2: the public values of both ends are of one group; lengths alone do not tell.
TEST_CASE("ike answers: a public value under another group's number is not taken") {
  ScriptedResponder end;
  end.called();
  REQUIRE(end.group() == Group::kEcp384);
  CHECK(end.say(end.init({.group = Group::kEcp256})).empty());
  CHECK(end.node.told("does not fit what we proposed"));
  CHECK(end.say(end.init()).size() == 1);
}

// RFC 7296 2.10: half the key of the prf, which is HMAC-SHA-384 here; 3.9: 16 to 256.
TEST_CASE("ike answers: a nonce that is too short for the prf, or too long for any, is not taken") {
  for (const auto& [size, taken] :
       {std::pair{15u, false}, {16u, false}, {23u, false}, {24u, true}, {256u, true}, {257u, false}}) {
    ScriptedResponder end;
    end.called();
    end.nonce = Datagram(size, 6);
    INFO(size);
    CHECK(end.say(end.init()).size() == (taken ? 1 : 0));
    if (taken) continue;
    end.nonce = Datagram(32, 6);  // the true answer still counts
    CHECK(end.say(end.init()).size() == 1);
  }
}

// RFC 7296 2.15, 2.16.
TEST_CASE("ike answers: AUTH of another method than ours, or none, makes no SA, whatever its octets are") {
  using Method = ike::AuthMethod;
  for (const Method method : {Method::kRsa, Method::kNull, Method::kDigitalSignature}) {
    ScriptedResponder end;
    end.called();
    (void)end.say(end.init());
    (void)end.answer_auth(end.auth(method));
    CHECK(end.node.told("the peer authenticates without its preshared key"));
    CHECK(end.node.counters().ike_sas == 0);
  }
  ScriptedResponder end;
  end.called();
  (void)end.say(end.init());
  auto pieces = end.auth();
  pieces.erase(pieces.begin() + 1);
  (void)end.answer_auth(pieces);
  CHECK(end.node.told("wants EAP"));
  CHECK(end.node.counters().ike_sas == 0);
}

// RFC 7296 2.9: an answer holds no more than was asked for.
TEST_CASE("ike answers: a first CHILD SA with selectors wider than ours is not made") {
  for (const int wide : {3, 4}) {
    ScriptedResponder end;
    end.called();
    (void)end.say(end.init());
    auto pieces = end.auth();
    auto& piece = pieces.at(static_cast<std::size_t>(wide));
    piece = ScriptedResponder::selectors(piece.type, "10.0.0.0/8");
    (void)end.answer_auth(pieces);
    CHECK(end.node.told("the peer's CHILD SA is not what we proposed"));
    CHECK_FALSE(end.node.counters().up);
  }
}

// RFC 8784 3: without PPK_IDENTITY in the answer the PPK is not in the keys.
TEST_CASE("ike answers: a required PPK that the answering end does not use makes no SA") {
  for (const bool required : {true, false}) {
    ScriptedResponder end;
    end.node.keyd.keys["ppk"] = Datagram(44, 'p');
    end.params.ppk = ike::PpkParams{"ppk.example", "ppk", required};
    end.called();
    (void)end.say(end.init({.use_ppk = true}));
    (void)end.answer_auth(end.auth());
    CHECK(end.node.counters().up == !required);
    CHECK(end.node.told("the peer does not use the PPK") == required);
  }
}

TEST_CASE("ike answers: USE_PPK that nobody asked for changes nothing") {
  ScriptedResponder end;
  end.called();
  (void)end.say(end.init({.use_ppk = true}));
  (void)end.answer_auth(end.auth());
  CHECK(end.node.counters().up);
  CHECK_FALSE(end.node.counters().negotiated.ends_with("; PPK"));
}
