// RFC 7296 2.9: a router that holds one pair of networks in a CHILD SA. It narrows what we ask for, or refuses it with
// SINGLE_PAIR_REQUIRED; the rest is asked for pair by pair.
#include <catch2/catch.hpp>

#include "tests/sim/ike_scripted_responder.h"

using namespace ike_sim;

namespace {

std::string words(const std::vector<ike::Selector>& ours, const std::vector<ike::Selector>& theirs) {
  return to_string(ours) + " with " + to_string(theirs);
}

// A router that answers what a test says; `asked` grows by what it was asked for.
struct Router : ScriptedResponder {
  Router() {
    params.local_networks = {*Prefix::parse("10.1.0.0/24"), *Prefix::parse("10.3.0.0/24")};
    params.remote_networks = {*Prefix::parse("10.2.0.0/24"), *Prefix::parse("10.4.0.0/24")};
  }
  // IKE_AUTH with a CHILD SA for 10.1.0.0/24 with 10.2.0.0/24 alone, or with that notify and none.
  void begin(std::optional<ike::NotifyType> refusal = std::nullopt) {
    called();
    (void)say(init());
    auto pieces = auth();
    if (refusal) {
      pieces.resize(2);
      pieces.push_back(notify(*refusal));
    }
    sent = answer_auth(pieces);
  }
  static Piece notify(ike::NotifyType type) {
    return {41, body_from([&](ike::Chain& c) { append(c, type); }), false, 0};
  }
  // What the node asks for in the one message it has sent; "" when it sent none.
  std::string asked() {
    if (sent.empty()) return "";
    REQUIRE(sent.size() == 1);
    opened_ = open(sent.front());
    if (!opened_.child) return "no CHILD SA";
    return words(opened_.child->initiator, opened_.child->responder);
  }
  // To what asked() has read: a CHILD SA for just that, or for so many single addresses of each side of it.
  void grant(std::uint32_t pieces_of_side = 0) {
    const auto said = [&](const std::vector<ike::Selector>& asked) {
      if (pieces_of_side == 0) return asked;
      std::vector<ike::Selector> pieces;
      for (std::uint32_t i = 0; i < pieces_of_side; ++i) {
        auto octets = asked.front().first.octets();
        const auto address = tunnel::wire::IpAddress::v4({octets[0], octets[1], 1, static_cast<std::uint8_t>(i)});
        pieces.push_back(ike::Selector::of(Prefix::host(address)));
      }
      return pieces;
    };
    const auto initiator = said(opened_.child->initiator), responder = said(opened_.child->responder);
    const auto pair = tunnel::crypto::KeyExchange::generate(opened_.child->key_exchange->group);
    const auto choice = ike::choose_esp(opened_.child->proposals, params.profile, pair->group(), false);
    REQUIRE(choice);
    const std::uint32_t spi = ++spi_;
    std::vector<Piece> pieces{
        {33, body_from([&](ike::Chain& c) { append(c, std::array{ike::answer(*choice, spi)}); }), false, 0},
        {40, nonce, false, 0},
        {34, body_from([&](ike::Chain& c) { append(c, ike::KeyExchangePayload{pair->group(), pair->public_value()}); }),
         false, 0},
        {44, body_from([&](ike::Chain& c) { append(c, ike::PayloadType::kSelectorsInitiator, initiator); }), false, 0},
        {45, body_from([&](ike::Chain& c) { append(c, ike::PayloadType::kSelectorsResponder, responder); }), false, 0}};
    sent = answer(ike::Exchange::kCreateChildSa, opened_.id, pieces);
  }
  void acknowledge() { sent = answer(ike::Exchange::kInformational, opened_.id, {}); }  // a Delete
  void refuse(ike::NotifyType type) { sent = answer(ike::Exchange::kCreateChildSa, opened_.id, {notify(type)}); }
  void after(tunnel::wire::Duration time) {
    now += time;
    node.on_deadline(now);
    sent = node.take_sent();
  }
  void packet(const std::string& source, const std::string& destination) {
    node.send(sim::ipv4_packet(source, destination, 100), now);
    sent = node.take_sent();
    std::erase_if(sent, [](const Sent& each) { return each.to.port == 0 || each.from.port == 0; });
  }
  [[nodiscard]] std::size_t usable() const { return node.counters().child_sas; }

  std::vector<Sent> sent;

 private:
  OpenedRequest opened_;
  std::uint32_t spi_ = 0x55667700;
};

}  // namespace

TEST_CASE("a router that narrows to one pair of networks is asked for the others", "[rfc7296-2.9]") {
  Router router;
  router.begin();
  for (const std::string wanted :
       {"10.1.0.0/24 with 10.4.0.0/24", "10.3.0.0/24 with 10.2.0.0/24", "10.3.0.0/24 with 10.4.0.0/24"}) {
    REQUIRE(router.asked() == wanted);
    router.grant();
  }
  CHECK(router.asked().empty());
  CHECK(router.usable() == 4);
  CHECK(router.node.events_of(EventKind::kHandshakeFailed) == 0);
  router.after(20s);  // nothing more is asked for
  CHECK((router.sent.empty() || router.asked() == "no CHILD SA"));
}

TEST_CASE("SINGLE_PAIR_REQUIRED is answered with one pair at once", "[rfc7296-2.9]") {
  const auto refusal = GENERATE(ike::NotifyType::kSinglePairRequired, ike::NotifyType::kTsUnacceptable);
  Router router;
  router.begin(refusal);
  CHECK(router.usable() == 0);
  std::vector<std::string> asked;
  while (!router.sent.empty()) {
    asked.push_back(router.asked());
    router.grant();
  }
  CHECK(asked == std::vector<std::string>{"10.1.0.0/24 with 10.2.0.0/24", "10.1.0.0/24 with 10.4.0.0/24",
                                          "10.3.0.0/24 with 10.2.0.0/24", "10.3.0.0/24 with 10.4.0.0/24"});
  CHECK(router.usable() == 4);
}

TEST_CASE("a pair that the router does not hold is named, and asked for again by a packet after a minute") {
  Router router;
  router.begin();
  CHECK(router.asked() == "10.1.0.0/24 with 10.4.0.0/24");
  router.refuse(ike::NotifyType::kTsUnacceptable);
  CHECK(router.asked() == "10.3.0.0/24 with 10.2.0.0/24");
  router.grant();
  CHECK(router.asked() == "10.3.0.0/24 with 10.4.0.0/24");
  router.grant();
  CHECK(router.node.told(
      "the peer holds no CHILD SA for 10.1.0.0/24 with 10.4.0.0/24 (TS_UNACCEPTABLE): its selectors lack them"));
  CHECK(router.usable() == 3);
  router.packet("10.1.0.5", "10.4.0.5");
  CHECK(router.asked().empty());
  router.now += 61s;
  router.packet("10.1.0.5", "10.4.0.5");
  CHECK(router.asked() == "10.1.0.0/24 with 10.4.0.0/24");
}

TEST_CASE("TEMPORARY_FAILURE: the same pair again, after a pause", "[rfc7296-2.25]") {
  Router router;
  router.begin();
  CHECK(router.asked() == "10.1.0.0/24 with 10.4.0.0/24");
  router.refuse(ike::NotifyType::kTemporaryFailure);
  CHECK(router.asked().empty());
  router.after(4s);
  CHECK(router.asked() == "10.1.0.0/24 with 10.4.0.0/24");
}

TEST_CASE("NO_ADDITIONAL_SAS ends the asking", "[rfc7296-1.3]") {
  Router router;
  router.begin();
  CHECK(router.asked() == "10.1.0.0/24 with 10.4.0.0/24");
  router.refuse(ike::NotifyType::kNoAdditionalSas);
  CHECK(router.asked().empty());
  CHECK(router.node.told("NO_ADDITIONAL_SAS"));
  CHECK(router.usable() == 1);
}

TEST_CASE("a router that refuses every pair is called for all of them after the pause of a refusal") {
  Router router;
  router.begin(ike::NotifyType::kSinglePairRequired);
  std::size_t tries = 0;
  for (; !router.sent.empty() && tries < 10; ++tries) {
    (void)router.asked();
    router.refuse(ike::NotifyType::kTsUnacceptable);
  }
  CHECK(tries == 4);
  router.after(router.params.lifetimes.retry);
  CHECK(router.asked() == "10.1.0.0/24, 10.3.0.0/24 with 10.2.0.0/24, 10.4.0.0/24");
  router.refuse(ike::NotifyType::kSinglePairRequired);  // not pair by pair again within the minute
  CHECK(router.asked().empty());
}

TEST_CASE("more pairs than a peer may have CHILD SAs: the first that is left out is named") {
  Router router;
  for (const char* const more : {"10.5.0.0/24", "10.6.0.0/24", "10.7.0.0/24", "10.8.0.0/24", "10.9.0.0/24"})
    router.params.remote_networks.push_back(*Prefix::parse(more));
  router.params.local_networks.push_back(*Prefix::parse("10.10.0.0/24"));
  router.begin();
  for (int asked = 1; !router.asked().empty() && asked < 40; ++asked) router.grant();
  CHECK(router.usable() == 16);
  CHECK(router.node.told("more than 16: none for 10.10.0.0/24 with 10.5.0.0/24"));
}

TEST_CASE("a peer that narrows into more selectors than are looked through has none of them", "[rfc7296-2.9]") {
  Router router;
  router.params.local_networks = {*Prefix::parse("10.1.0.0/16"), *Prefix::parse("10.3.0.0/16")};
  router.params.remote_networks.clear();
  for (int net = 0; net < 12; ++net)
    router.params.remote_networks.push_back(*Prefix::parse("10." + std::to_string(100 + net) + ".0.0/16"));
  router.begin(ike::NotifyType::kSinglePairRequired);
  for (int turn = 0; turn < 100; ++turn) {
    const std::string asked = router.asked();
    if (asked.empty()) break;
    asked == "no CHILD SA" ? router.acknowledge() : router.grant(255);
  }
  CHECK(router.node.told("together have more than 4096 selectors"));
  CHECK(router.usable() <= 8);
}

TEST_CASE("one pair only: a refusal is a refusal") {
  Router router;
  router.params.local_networks.pop_back();
  router.params.remote_networks.pop_back();
  router.begin(ike::NotifyType::kSinglePairRequired);
  CHECK(router.asked().empty());
  CHECK(router.node.told("SINGLE_PAIR_REQUIRED"));
}

TEST_CASE("networks of different families are no pair") {
  Router router;
  router.params.local_networks[1] = *Prefix::parse("fd01::/64");
  router.params.remote_networks[1] = *Prefix::parse("fd02::/64");
  router.begin();
  CHECK(router.asked() == "fd01::/64 with fd02::/64");
  router.grant();
  CHECK(router.asked().empty());
  CHECK(router.usable() == 2);
}
