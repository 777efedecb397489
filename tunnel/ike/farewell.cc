#include "tunnel/ike/farewell.h"

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {

// The SA is buried by the caller in the same call.
void Endpoint::State::part_from(IkeSa& sa, Turn turn) {
  Farewell words{sa.path, sa.encapsulated, sa.requests, {}};
  if (sa.phase != IkeSa::Phase::kClosing) {
    Draft draft;
    append(draft.chain(), DeletePayload{});
    const bool busy = sa.requests.outstanding();
    const Header header{.initiator_spi = sa.spis.initiator,
                        .responder_spi = sa.spis.responder,
                        .exchange = Exchange::kInformational,
                        .from_initiator = sa.initiator,
                        .message_id = sa.requests.next_id() + (busy ? 1 : 0)};
    auto datagrams = sealed(sa, header, draft);
    if (busy) words.then = std::exchange(datagrams, words.requests.kept());
    transmit(sa.path, sa.encapsulated, datagrams, turn);
    words.requests.sent(std::move(datagrams), turn.now, kFarewellBackoff);  // also the open request begins anew
  }
  if (farewells.size() >= kMostFarewells || !words.requests.outstanding()) return;
  farewell_deadlines.emplace(words.requests.deadline(), sa.local());
  farewells.insert_or_assign(sa.local(), std::move(words));
}

// Not authenticated, for the keys are gone: the worst a forger does is to end our repeating.
void Endpoint::State::hear_answer(const Header& header, Turn turn) {
  const auto found = farewells.find(header.from_initiator ? header.responder_spi : header.initiator_spi);
  if (!header.response || found == farewells.end() || !found->second.requests.awaits(header.message_id))
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  Farewell& words = found->second;
  farewell_deadlines.erase({words.requests.deadline(), found->first});
  words.requests.answered();
  if (!words.then) return void(farewells.erase(found));
  transmit(words.path, words.encapsulated, *words.then, turn);
  words.requests.sent(*std::exchange(words.then, std::nullopt), turn.now, kFarewellBackoff);
  farewell_deadlines.emplace(words.requests.deadline(), found->first);
}

void Endpoint::State::repeat_farewells(Turn turn) {
  while (!farewell_deadlines.empty() && farewell_deadlines.begin()->first <= turn.now) {
    const Spi spi = farewell_deadlines.begin()->second;
    farewell_deadlines.erase(farewell_deadlines.begin());
    Farewell& words = farewells.at(spi);
    if (words.requests.on_deadline(turn.now, kFarewellBackoff) == OurRequests::Due::kResend) {
      transmit(words.path, words.encapsulated, words.requests.kept(), turn);
      farewell_deadlines.emplace(words.requests.deadline(), spi);
    } else {
      farewells.erase(spi);
    }
  }
}

}  // namespace tunnel::ike
