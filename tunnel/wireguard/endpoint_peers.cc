// Peers come, change and go; sessions move through their places.
#include <utility>
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {
namespace {

wire::OuterPath configured_path(const wire::SocketAddress& remote) {
  const auto local = remote.address.is_v4() ? wire::IpAddress::v4({}) : wire::IpAddress::v6({});
  return {remote, local, 0};
}

bool same_keys(const PeerParams& a, const PeerParams& b) {
  return a.public_key == b.public_key && a.preshared_key == b.preshared_key;
}

bool stranded(const Peer& peer, const PeerParams& wanted) {
  return peer.path && !source_allowed(wanted.outer_sources, peer.path->remote.address);
}

}  // namespace

void Endpoint::State::set_peer(const PeerParams& wanted, Turn turn) {
  Peer* peer = directory.by_id(wanted.id);
  if (peer != nullptr && peer->params == wanted) return;
  // A peer that sits where it may no longer come from starts anew, from its configured endpoint if it has one.
  if (peer != nullptr && (!same_keys(peer->params, wanted) || stranded(*peer, wanted))) {
    remove_peer(*peer, turn);
    peer = nullptr;
  }
  // One key, one peer: the configuration refuses duplicates, so an older holder is about to be changed or removed.
  Peer* const holder = directory.by_key(wanted.public_key);
  if (holder != nullptr && holder != peer) remove_peer(*holder, turn);
  const bool fresh = peer == nullptr;
  if (fresh) peer = &directory.add(wanted);
  calling.set_capacity(2 * directory.size());  // a peer: one call in REKEY-TIMEOUT, one first answer
  const bool endpoint_changed = fresh || peer->params.endpoint != wanted.endpoint;
  const bool keepalive_changed = fresh || peer->params.persistent_keepalive != wanted.persistent_keepalive;
  peer->params = wanted;
  peer->allowed = SourceFilter(wanted.allowed);
  if (endpoint_changed && wanted.endpoint) peer->path = configured_path(*wanted.endpoint);
  if (keepalive_changed) peer->timers.traversed(turn.now, wanted.persistent_keepalive);
  if (keepalive_changed &&
      wanted.persistent_keepalive > Duration::zero()) {  // the first one now: a NAT may wait for it
    Session* const session = peer->sendable(turn.now);
    session != nullptr ? seal(*peer, *session, {}, turn) : start_handshake(*peer, Attempt::kFresh, turn);
  }
  directory.deadlines().set(*peer, peer->timers.next());
}

void Endpoint::State::remove_peer(Peer& peer, Turn turn) {
  tunnel_down(peer, turn);
  directory.remove(peer);
  aead.forget();
}

// WireGuard 2.1: a peer is where its last authenticated packet came from; nothing else ever moves it.
void Endpoint::State::move_path(Peer& peer, const wire::OuterPath& path, Turn turn) {
  if (peer.path && *peer.path == path) return;
  const auto was = std::exchange(peer.path, path);
  const bool moved = was && was->remote != path.remote;
  if (moved && first_in_a_second(peer.moved_told, turn.now))
    tell(wire::EventKind::kPeerMoved, peer, "it was at " + was->remote.to_string(), turn);
}

void Endpoint::State::session_confirmed(Peer& peer, Turn turn) {
  peer.timers.handshake_complete();
  peer.queued = peer.withheld = false;
  peer.timers.session_end = peer.current->created + kRejectAfterTime;
  ++peer.counters.handshakes;
  peer.counters.last_handshake = turn.now;
  peer.counters.problem = {};
  peer.counters.problem_since.reset();
  peer.unconfirmed = 0;
  tell(wire::EventKind::kHandshakeDone, peer, {}, turn);
  if (!std::exchange(peer.counters.up, true)) tell(wire::EventKind::kTunnelUp, peer, {}, turn);
}

void Endpoint::State::tunnel_down(Peer& peer, Turn turn) {
  if (std::exchange(peer.counters.up, false)) tell(wire::EventKind::kTunnelDown, peer, {}, turn);
}

// Two old sessions are kept: when both sides began at once, each may still be sending under a different one.
void Endpoint::State::retire(Peer& peer, std::unique_ptr<Session> session) {
  if (!session) return;
  directory.drop_session(peer.older);
  peer.older = std::exchange(peer.previous, std::move(session));
}

void Endpoint::State::arm(Peer& peer) {
  const Instant next = peer.timers.next();
  if (next < peer.wakes) directory.deadlines().set(peer, next);  // a later one is found when the earlier fires
}

// And still where it may come from: its sources may have been narrowed while keyd was asked.
Peer* Endpoint::State::still_there(const PeerName& name, const wire::OuterPath& path) const {
  Peer* const peer = directory.by_id(name.id);
  const bool same = peer != nullptr && peer->params.public_key == name.key &&
                    peer->params.preshared_key == name.preshared_key && peer->outer_source_allowed(path.remote.address);
  return same ? peer : nullptr;
}

Duration Endpoint::State::jitter() {
  return std::chrono::milliseconds(rng.below(kJitterMilliseconds + 1));
}

}  // namespace tunnel::wireguard
