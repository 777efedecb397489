// A router that refuses every rekeying: another group for PFS than ours, or no room for a second CHILD SA (RFC
// 7296 2.8, 4). What it cannot rekey is made anew, each time, and what is not needed any more is closed.
#include <catch2/catch.hpp>

#include <algorithm>
#include <iterator>
#include <map>

#include "tests/sim/ike_scripted_responder.h"

using namespace ike_sim;

namespace {

struct RefusingRouter : ScriptedResponder {
  explicit RefusingRouter(ike::NotifyType with) : refusal(with) {
    params.lifetimes.child = 100s;
    params.lifetimes.liveness = {};
  }
  void run(tunnel::wire::Duration time) {
    for (const Instant end = now + time; now < end; now += 100ms) {
      node.on_deadline(now);
      for (auto sent = node.take_sent(); !sent.empty();) {
        std::vector<Sent> next;
        for (const Sent& each : sent) std::ranges::move(take(each), std::back_inserter(next));
        sent = std::move(next);
      }
      most = std::max(most, node.counters().ike_sas);
    }
  }
  // What the node sends after our answer.
  std::vector<Sent> take(const Sent& sent) {
    const Datagram octets(sent.bytes.begin() + (sent.from.port == 4500 ? 4 : 0), sent.bytes.end());
    const auto header = *ike::read_header(octets);
    if (header.response) return {};
    if (header.exchange == ike::Exchange::kSaInit) {
      const auto before = sa.spis.initiator;
      others[before] = std::exchange(sa, {});
      hear({sent.from, sent.to, octets});
      return say(init());
    }
    const bool newest = header.initiator_spi == sa.spis.initiator;
    if (!newest) std::swap(sa, others.at(header.initiator_spi));
    auto more = answered(header);
    if (!newest) std::swap(sa, others.at(header.initiator_spi));
    return more;
  }
  std::vector<Sent> answered(const ike::Header& header) {
    if (header.exchange == ike::Exchange::kAuth) return answer_auth(auth());
    if (header.exchange != ike::Exchange::kCreateChildSa) return answer(header.exchange, header.message_id, {});
    ++refused;
    const Piece notify{41, body_from([&](ike::Chain& c) { append(c, refusal); }), false, 0};
    return answer(header.exchange, header.message_id, {notify});
  }
  ike::NotifyType refusal;
  std::map<ike::Spi, ike::IkeSa> others;
  std::size_t refused = 0, most = 0;
};

}  // namespace

TEST_CASE("ike: a tunnel whose rekeyings are all refused stands, made anew each time", "[rfc7296-2.8]") {
  for (const auto type : {ike::NotifyType::kNoProposalChosen, ike::NotifyType::kNoAdditionalSas}) {
    RefusingRouter router(type);
    router.node.set_peer(router.params, kStart);
    router.run(1000s);
    CAPTURE(router.refused, router.most);
    CHECK(router.node.counters().up);
    CHECK(router.node.events_of(EventKind::kTunnelDown) == 0);
    CHECK(router.refused >= 9);
    CHECK(router.refused <= 40);
    CHECK(router.most <= 3);
    CHECK(router.node.counters().ike_sas <= 2);
  }
}

// RFC 7296 1.3: the group of IKE is asked for again, not the first of the profile.
TEST_CASE("ike: a CHILD SA is rekeyed with the group that was agreed on", "[rfc7296-1.3]") {
  ScriptedResponder router;
  router.params.lifetimes.child = 100s;
  router.params.lifetimes.liveness = {};
  router.called();
  const auto first = router.group();
  const auto other = *std::ranges::find_if(router.params.profile.groups, [&](auto group) { return group != first; });
  const auto number = static_cast<std::uint16_t>(other);
  const Datagram octets{static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  const auto again = router.say(router.init_notify(ike::NotifyType::kInvalidKePayload, octets));
  REQUIRE(again.size() == 1);
  router.hear(again[0]);
  REQUIRE(router.group() == other);
  (void)router.say(router.init());
  (void)router.answer_auth(router.auth());
  REQUIRE(router.node.counters().up);
  router.now += 99s;
  router.node.on_deadline(router.now);
  const auto asked = router.node.take_sent();
  REQUIRE(asked.size() == 1);
  const auto opened = router.open(asked[0]);
  REQUIRE(opened.child.has_value());
  CHECK(opened.child->key_exchange->group == other);
}

// RFC 7296 2.11: without MOBIKE the router sends to where we were; that it answers from there hides it.
TEST_CASE(
    "ike: an address of ours that goes away ends the session of a router without MOBIKE, and it is called again") {
  ScriptedResponder router;
  router.up();
  REQUIRE(router.node.counters().up);
  router.node.address = *tunnel::wire::IpAddress::parse("198.51.100.7");
  router.node.endpoint->set_doors(router.node.doors(false), {router.node.address});
  router.node.on_deadline(router.now);
  const auto told = router.node.take_sent();
  REQUIRE(told.size() == 1);
  CHECK(told[0].from.address == router.node.address);
  const auto header = *ike::read_header(told[0].bytes);
  CHECK(header.exchange == ike::Exchange::kInformational);
  (void)router.answer(ike::Exchange::kInformational, header.message_id, {});
  bool called = false;
  for (int i = 0; i < 30 && !called; ++i) {
    router.now += 1s;
    router.node.on_deadline(router.now);
    for (const auto& sent : router.node.take_sent())
      called |=
          ike::read_header(sent.bytes)->exchange == ike::Exchange::kSaInit && sent.from.address == router.node.address;
  }
  CHECK(called);
}
