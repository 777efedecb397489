// A peer's parameters change while its SAs live: what is still allowed goes on without a new handshake, what is not
// ends at once.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

// Who the two ends are, and by what they show it.
bool same_ends(const PeerParams& a, const PeerParams& b) {
  return a.local_id == b.local_id && a.remote_id == b.remote_id && a.preshared_key == b.preshared_key &&
         a.certificate.has_value() == b.certificate.has_value();
}

}  // namespace

bool Endpoint::State::allowed_child(const Peer& peer, const ChildSa& child) {
  const auto& ciphers = peer.params.profile.esp;
  return std::ranges::find(ciphers, child.suite.cipher) != ciphers.end() && is_within(child.peer, peer.remote) &&
         is_within(child.ours, peer.local);
}

void Endpoint::State::set_peer(const PeerParams& wanted, Turn turn) {
  const auto found = peers.find(wanted.id.number);
  Peer* const known = found == peers.end() ? nullptr : found->second.get();
  if (known != nullptr && known->params == wanted) return;
  if (known != nullptr && same_ends(known->params, wanted)) return change_peer(*known, wanted, turn);
  if (known != nullptr) remove_peer(*known, turn);
  add_peer(wanted, turn);
}

void Endpoint::State::add_peer(const PeerParams& wanted, Turn turn) {
  // One identity, one peer: the configuration refuses duplicates, so an older holder is about to be changed or removed.
  if (Peer* const holder = peer_named(wanted.remote_id)) remove_peer(*holder, turn);
  Peer& peer = *(peers[wanted.id.number] = std::make_unique<Peer>(wanted));
  names[wanted.remote_id] = wanted.id.number;
  if (wanted.force_encapsulation) encapsulating.insert(wanted.id.number);
  count_profile(wanted.profile, true);
  count_authorities(wanted, true);
  call_at_once(peer, turn);
}

void Endpoint::State::change_peer(Peer& peer, const PeerParams& wanted, Turn turn) {
  const PeerParams before = std::exchange(peer.params, wanted);
  if (wanted.force_encapsulation)
    encapsulating.insert(wanted.id.number);
  else
    encapsulating.erase(wanted.id.number);
  count_profile(wanted.profile, true);
  count_profile(before.profile, false);
  count_authorities(wanted, true);
  count_authorities(before, false);
  peer.remote = selectors_of(wanted.remote_networks);
  peer.local = selectors_of(wanted.local_networks);
  for (const Spi spi : std::vector<Spi>(peer.sas))
    if (IkeSa* const sa = sa_by_spi(spi)) judge_anew(peer, *sa, before, turn);
  const bool idle = std::ranges::all_of(peer.sas, [&](Spi spi) { return sas.at(spi)->phase == IkeSa::Phase::kDead; });
  if (idle || !wanted.start || !wanted.endpoint) call_at_once(peer, turn);
}

void Endpoint::State::call_at_once(Peer& peer, Turn turn) {
  attempts.erase({peer.attempt, peer.params.id.number});
  peer.attempt = kNever;
  if (!peer.params.start || !peer.params.endpoint) return;
  peer.attempt = turn.now;
  attempts.emplace(peer.attempt, peer.params.id.number);
}

void Endpoint::State::judge_anew(Peer& peer, IkeSa& sa, const PeerParams& before, Turn turn) {
  const PeerParams& now = peer.params;
  if (sa.half_open()) return bury(sa);  // what it has offered and heard was under the old parameters
  if (!sa.established() && sa.phase != IkeSa::Phase::kClosing) return;  // what is closing still carries packets
  if (!peer.source_allowed(sa.path.remote.address))
    return expel(sa, "the peer's address is no longer among its outer sources", turn);
  if (!within(now.profile, sa.suite) || (!now.certificate && !now.profile.preshared_key))
    return expel(sa, "what was agreed is no longer within the facility's profile", turn);
  if (now.certificate && now.certificate != before.certificate) {
    // Cannot be: judge_certificate keeps the proof before the SA stands, succeed() hands it on. Closed, not a crash.
    if (!sa.proof) return expel(sa, "the peer has shown no certificate", turn);
    const auto verified = judge_chain(*now.certificate, *sa.proof, turn.now);
    if (!verified) return expel(sa, verified.error(), turn);
    sa.proof =
        std::make_shared<const PeerProof>(PeerProof{sa.proof->certificates, sa.proof->identity, verified->expires});
  }
  if (now.ppk && now.ppk->required && sa.ppk_key != now.ppk->key)
    return expel(sa, "its keys do not have the PPK in them that is now required", turn);
  if (now.lifetimes != before.lifetimes) shorten(peer, sa, turn);
  const bool networks = now.local_networks != before.local_networks || now.remote_networks != before.remote_networks;
  if (networks || now.profile != before.profile) bar_children(peer, sa, networks, turn);
}

// RFC 7296 1.4.1: those that hold something no longer allowed are deleted, and nothing passes them meanwhile.
void Endpoint::State::bar_children(Peer& peer, IkeSa& sa, bool networks_changed, Turn turn) {
  bool left = false, wider = false;
  for (ChildSa& child : sa.children) {
    if (child.barred) continue;
    if (!allowed_child(peer, child)) {
      bar(child);
      continue;
    }
    left = left || child.may_send();
    wider = wider || (child.may_send() && !(is_within(peer.remote, child.peer) && is_within(peer.local, child.ours)));
  }
  const bool may_ask = peer.params.start || peer.params.endpoint;
  if (networks_changed) sa.pairs = {};
  if (left && wider && may_ask && networks_changed) sa.wider_wanted = true;
  if (!left && peer.params.start && !sa.children.empty()) sa.child_wanted = turn.now;
}

void Endpoint::State::bar(ChildSa& child) {
  child.barred = true;
  child.sends = false;
  if (!child.closed()) child.phase = ChildSa::Phase::kDeleting;
}

// A longer life begins with the next rekeying.
void Endpoint::State::shorten(const Peer& peer, IkeSa& sa, Turn turn) {
  const Lifetimes& lives = peer.params.lifetimes;
  sa.rekey = std::min(sa.rekey, soon(turn.now, lives.ike, lives.margin));
  sa.ends = std::min(sa.ends, turn.now + lives.ike);
  for (ChildSa& child : sa.children) {
    if (child.phase != ChildSa::Phase::kUsed) continue;
    child.rekey = std::min(child.rekey, soon(turn.now, lives.child, lives.margin));
    child.ends = std::min(child.ends, turn.now + lives.child);
  }
}

// RFC 7296 1.4.1. Nothing passes from here on; the Delete is repeated without the SA (farewell.h).
void Endpoint::State::expel(IkeSa& sa, std::string_view why, Turn turn) {
  Peer* const peer = peer_of(sa);
  if (peer != nullptr && !why.empty()) {
    turn.out.events.push_back({wire::EventKind::kHandshakeFailed, peer->params.id, sa.path, std::string(why)});
    peer->down_because = why;
  }
  if (sa.established() || sa.phase == IkeSa::Phase::kClosing) part_from(sa, turn);
  bury(sa);
}

}  // namespace tunnel::ike
