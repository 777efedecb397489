// Inner packets that come while no CHILD SA is there: they wait as long as one is being made, and no longer.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

constexpr Duration kSoon = std::chrono::seconds(1);  // after a Delete of the peer's a new CHILD SA is asked for so late

}  // namespace

void Endpoint::State::stage(Peer& peer, wire::ConstBytes packet, Turn turn) {
  if (peer.staged.size() >= kStagedPackets) {  // the oldest goes: what is newest is most likely still wanted
    peer.staged.pop_front();
    turn.out.drops.add(wire::Drop::kQueueFull);
  }
  peer.staged.emplace_back(packet.begin(), packet.end());
}

// In an attempt, or in an IKE SA that stands. A pause after a refusal does not count.
bool Endpoint::State::child_is_coming(const Peer& peer, Instant now) const {
  return std::ranges::any_of(peer.sas, [&](Spi spi) {
    const IkeSa& sa = *sas.at(spi);
    if (sa.half_open()) return true;
    if (sa.phase != IkeSa::Phase::kEstablished || sa.close_wanted) return false;
    return sa.exchanging.kind == Exchanging::Kind::kNewChild ||
           (sa.child_wanted != kNever && sa.child_wanted - now <= kSoon) ||
           (sa.pairs.at != kNever && sa.pairs.at - now <= kSoon);
  });
}

// RFC 7296 1.3.1: in the IKE SA that stands, else with a new one; a refusal is given its time.
void Endpoint::State::call_child(Peer& peer, Turn turn) {
  if (!peer.params.endpoint || child_is_coming(peer, turn.now)) return;
  for (const Spi spi : peer.sas) {
    IkeSa& sa = *sas.at(spi);
    if (sa.phase != IkeSa::Phase::kEstablished || sa.close_wanted) continue;
    if (sa.child_wanted == kNever) sa.child_wanted = turn.now, touched.push_back(spi);
    return;
  }
  const bool rested = !peer.begun || turn.now - *peer.begun >= peer.params.lifetimes.retry;
  if (all_ended(peer) && peer.attempt == kNever && rested) begin(peer, turn);
}

// At the end of a call, when what happens to the peer's SAs is known.
void Endpoint::State::send_staged(Peer& peer, Turn turn) {
  if (peer.staged.empty() || (!peer.counters.up && child_is_coming(peer, turn.now))) return;
  std::deque<Octets> staged = std::exchange(peer.staged, {});
  if (!peer.counters.up) return turn.out.drops.add(wire::Drop::kNoSession, staged.size());
  for (Octets& packet : staged) send_inner(peer, {peer.params.id, packet}, turn);
}

}  // namespace tunnel::ike
