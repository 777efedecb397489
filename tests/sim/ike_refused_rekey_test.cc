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
