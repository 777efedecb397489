// What is done when a peer's deadline has come (WireGuard 6).
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {

void Endpoint::State::wake(Peer& peer, Turn turn) {
  retransmit_due(peer, turn);
  keepalives_due(peer, turn);
  session_ends_due(peer, turn);
  directory.deadlines().set(peer, peer.timers.next());
}

// WireGuard 6.4.
void Endpoint::State::retransmit_due(Peer& peer, Turn turn) {
  Timers& timers = peer.timers;
  if (timers.retransmit <= turn.now) {
    timers.retransmit = kNever;
    turn.now < timers.attempt_until ? start_handshake(peer, Attempt::kRetry, turn) : give_up(peer, turn);
  }
  if (timers.new_handshake <= turn.now) {  // WireGuard 6.5: what we sent was never answered
    timers.new_handshake = kNever;
    start_handshake(peer, Attempt::kFresh, turn);
  }
}

void Endpoint::State::give_up(Peer& peer, Turn turn) {
  turn.out.drops.add(wire::Drop::kNoSession, peer.staged.size());
  peer.staged.clear();
  peer.timers.keepalive = peer.timers.attempt_until = kNever;
  peer.queued = peer.withheld = false;
  directory.drop_initiation(peer);
  const bool explained = peer.problem_seen && turn.now - *peer.problem_seen <= kRekeyAttemptTime;
  if (peer.counters.problem.empty() || !explained) note_failure(peer, Failure::kNoAnswer, turn);
  tell(wire::EventKind::kHandshakeGaveUp, peer, peer.counters.problem, turn);
}

// WireGuard 6.5.
void Endpoint::State::keepalives_due(Peer& peer, Turn turn) {
  Timers& timers = peer.timers;
  Session* const session = peer.sendable(turn.now);
  if (timers.keepalive <= turn.now) {
    const bool another = timers.another_keepalive;
    timers.keepalive = kNever;
    timers.another_keepalive = false;
    if (session != nullptr) seal(peer, *session, {}, turn);
    if (another) timers.keepalive = turn.now + kKeepaliveTimeout;
  }
  if (timers.persistent_keepalive <= turn.now) {
    timers.traversed(turn.now, peer.params.persistent_keepalive);
    if (session != nullptr) {
      seal(peer, *session, {}, turn);
    } else if (timers.attempt_until == kNever) {
      start_handshake(peer, Attempt::kFresh, turn);
    }
  }
}

void Endpoint::State::session_ends_due(Peer& peer, Turn turn) {
  Timers& timers = peer.timers;
  if (timers.session_end <= turn.now) {
    const bool renewed = peer.current && peer.current->usable(turn.now);
    timers.session_end = renewed ? peer.current->created + kRejectAfterTime : kNever;
    if (!renewed) tunnel_down(peer, turn);
  }
  if (timers.zero_keys <= turn.now) {  // WireGuard 6.3: three times REJECT-AFTER-TIME
    timers.zero_keys = kNever;
    directory.drop_all(peer);
    aead.forget();
  }
}

}  // namespace tunnel::wireguard
