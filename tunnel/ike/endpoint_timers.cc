// What is done when a deadline has come, and what is done at the end of every call.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {

void Endpoint::State::on_deadline(Turn turn) {
  repeat_farewells(turn);
  while (!attempts.empty() && attempts.begin()->first <= turn.now) {
    Peer& peer = *peers.at(attempts.begin()->second);
    attempts.erase(attempts.begin());
    peer.attempt = kNever;
    if (all_ended(peer)) begin(peer, turn);
  }
  // Each is woken once a call: its new deadline is set at the end.
  std::vector<Spi> due;
  for (auto it = deadlines.begin(); it != deadlines.end() && it->first <= turn.now; ++it) due.push_back(it->second);
  for (const Spi spi : due)
    if (IkeSa* const sa = sa_by_spi(spi)) wake(*sa, turn);
}

void Endpoint::State::wake(IkeSa& sa, Turn turn) {
  switch (sa.requests.on_deadline(turn.now, params.backoff)) {
    case OurRequests::Due::kResend:
      transmit(sa.path, sa.encapsulated, sa.requests.kept(), turn);
      break;
    case OurRequests::Due::kGiveUp:
      return give_up(sa, turn);
    case OurRequests::Due::kNothing:
      break;
  }
  for (ChildSa& child : sa.children) {
    if (child.ends > turn.now) continue;
    if (child.closed()) {
      child_spis.erase(child.in_spi);
      continue;
    }
    // RFC 4301 4.4.2.1: nothing is opened with it after its end, however long the peer leaves our Delete unanswered;
    // but what was under way when it ended.
    if (child.phase == ChildSa::Phase::kDeleting) {
      child.barred = true;
      continue;
    }
    child.phase = ChildSa::Phase::kDeleting, child.sends = false;
    child.ends = turn.now + kLinger;
    if (Peer* const peer = peer_of(sa)) peer->down_because = "the CHILD SA was not rekeyed before its end";
  }
  std::erase_if(sa.children, [&](const ChildSa& child) { return child.closed() && child.ends <= turn.now; });
  if (certificate_end(sa) <= turn.now) return expel(sa, "the peer's certificate has expired", turn);
  if (sa.keepalive <= turn.now) send_keepalive(sa, turn);
  if (sa.ends <= turn.now) {
    if (!sa.established() || sa.redundant) return bury(sa);
    // RFC 7296 2.8: its keys are at their end, and a request that nobody answers does not lengthen their life. Only its
    // own rekeying is waited for: the peer may have done it, and then has an IKE SA that we do not know yet.
    if (sa.requests.outstanding() && sa.exchanging.kind != Exchanging::Kind::kRekeyIke)
      return expel(sa, "the IKE SA was not rekeyed before its end", turn);
    sa.close_wanted = true;
  }
  pursue(sa, turn);
}

// RFC 3948 2.3, 4: only when nothing else was sent for as long.
void Endpoint::State::send_keepalive(IkeSa& sa, Turn turn) {
  const Duration pause = peer_of(sa)->params.lifetimes.keepalive;
  if (turn.now - sa.sent >= pause) {
    const wire::Bytes octet = turn.out.arena.take(1);
    octet[0] = 0xff;
    turn.out.transmits.push_back({sa.path, octet, 0});
    sa.sent = turn.now;
  }
  sa.keepalive = sa.sent + pause;
}

// RFC 7296 2.4: nobody answers.
void Endpoint::State::give_up(IkeSa& sa, Turn turn) {
  Peer* const peer = peer_of(sa);
  if (peer != nullptr && sa.phase != IkeSa::Phase::kClosing)
    tell(wire::EventKind::kHandshakeGaveUp, *peer, "no answer from the peer", turn);
  if (peer != nullptr) peer->down_because = "the peer no longer answers";
  pass_to_rival(sa);
  bury(sa);
}

// One request at a time (window size 1); the most urgent first.
void Endpoint::State::pursue(IkeSa& sa, Turn turn) {
  if (!sa.established() || sa.requests.outstanding() || sa.asked != Asked::kNothing) return;
  if (sa.close_wanted || sa.requests.exhausted()) return send_delete_ike(sa, turn);
  if (sa.mobike && path_due(sa)) return pursue_path(sa, turn);
  const auto doomed = [](const ChildSa& child) { return child.phase == ChildSa::Phase::kDeleting; };
  if (std::ranges::any_of(sa.children, doomed)) return send_delete_children(sa, turn);
  if (sa.phase == IkeSa::Phase::kReplaced) return;
  const Peer& peer = *peer_of(sa);
  // That was agreed on before: the peer has it, and asking for another costs a round (RFC 7296 1.3).
  const auto& groups = peer.params.profile.groups;
  const bool known = std::ranges::find(groups, sa.suite.group) != groups.end();
  const crypto::Group group = known ? sa.suite.group : groups.front();
  if (sa.rekey <= turn.now) return send_rekey_ike(sa, sa.suite.group, turn);
  const auto old = std::ranges::find_if(
      sa.children, [&](const ChildSa& child) { return child.may_be_rekeyed() && child.rekey <= turn.now; });
  if (old != sa.children.end()) return send_create_child(sa, {old->ours, old->peer, &*old}, group, turn);
  if (sa.child_wanted <= turn.now) {
    sa.child_wanted = kNever;
    const bool wider = std::exchange(sa.wider_refused, false);
    if (wider || std::ranges::none_of(sa.children, &ChildSa::may_send))
      return send_create_child(sa, {peer.local, peer.remote}, group, turn);
  }
  if (std::exchange(sa.wider_wanted, false)) return send_create_child(sa, {peer.local, peer.remote}, group, turn);
  if (pursue_pairs(sa, turn)) return;
  const Duration patience = peer.params.lifetimes.liveness;
  if (patience > Duration::zero() && turn.now - sa.heard >= patience) return send_liveness(sa, turn);
}

// By the wall clock as it is now.
Instant Endpoint::State::certificate_end(const IkeSa& sa) const {
  constexpr Duration kFar = std::chrono::hours(24 * 365 * 50);
  if (!sa.proof || !(sa.established() || sa.phase == IkeSa::Phase::kClosing)) return kNever;
  if (sa.proof->expires <= params.wall_now) return wall_set;
  const Duration left = sa.proof->expires - params.wall_now;
  return left > kFar ? kNever : wall_set + left;
}

void Endpoint::State::arm(IkeSa& sa) {
  Instant next = std::min({sa.requests.deadline(), sa.ends, sa.keepalive, certificate_end(sa)});
  for (const ChildSa& child : sa.children)
    if (!child.barred || child.closed()) next = std::min(next, child.ends);
  if (sa.established() && sa.mobike && path_due(sa) && !sa.requests.outstanding()) next = Instant{};
  if (sa.phase == IkeSa::Phase::kEstablished && !sa.requests.outstanding()) {
    next = std::min({next, sa.rekey, sa.child_wanted, sa.pairs.at});
    for (const ChildSa& child : sa.children)
      if (child.may_be_rekeyed()) next = std::min(next, child.rekey);
    const Duration patience = peer_of(sa)->params.lifetimes.liveness;
    if (patience > Duration::zero()) next = std::min(next, sa.heard + patience);
  }
  if (sa.close_wanted) {  // at once, but the outstanding request must end first
    const bool may = sa.established() && !sa.requests.outstanding() && sa.asked == Asked::kNothing;
    next = may ? Instant{} : std::min(sa.requests.deadline(), certificate_end(sa));
  }
  if (next == sa.wakes) return;
  deadlines.erase({sa.wakes, sa.local()});
  sa.wakes = next;
  if (next != kNever) deadlines.emplace(next, sa.local());
}

void Endpoint::State::end_call(Turn turn) {
  while (!touched.empty())  // what is sent when a peer's SAs have settled may be the beginning of something
    for (const std::uint32_t number : settle_touched(turn))
      if (const auto peer = peers.find(number); peer != peers.end()) settle(*peer->second, turn);
}

std::vector<std::uint32_t> Endpoint::State::settle_touched(Turn turn) {
  std::vector<std::uint32_t> changed;
  while (!touched.empty()) {
    const std::vector<Spi> round = std::exchange(touched, {});
    for (const Spi spi : round) {
      const auto found = sas.find(spi);
      if (found == sas.end()) continue;
      IkeSa& sa = *found->second;
      if (sa.peer_known) changed.push_back(sa.peer.number);
      pursue(sa, turn);
      arm(sa);
      if (sa.phase != IkeSa::Phase::kDead) continue;
      no_longer_half_open(sa);
      if (sa.counts_as_refused) --repeating;
      key_requests.erase(sa.key_request);
      deadlines.erase({sa.wakes, spi});
      forget_spis(sa);
      if (Peer* const peer = peer_of(sa)) std::erase(peer->sas, spi);
      sas.erase(found);
    }
  }
  std::ranges::sort(changed);
  changed.erase(std::ranges::unique(changed).begin(), changed.end());
  return changed;
}

// Those that still repeat their last answer are none.
std::size_t Endpoint::State::living(const Peer& peer) const {
  return static_cast<std::size_t>(std::ranges::count_if(peer.sas, [&](Spi spi) {
    const IkeSa::Phase phase = sas.at(spi)->phase;
    return phase != IkeSa::Phase::kRefused && phase != IkeSa::Phase::kDead;
  }));
}

bool Endpoint::State::all_ended(const Peer& peer) const {
  return living(peer) == 0;
}

bool Endpoint::State::only_sa(const Peer& peer) const {
  return living(peer) == 1;
}

// RFC 7296 2.8: what cannot be rekeyed is made anew, with an IKE SA of its own; 4: also where the peer takes no second
// CHILD SA on one. The old one goes when the new one carries (accept_first_child). One is begun at a time.
void Endpoint::State::make_anew(IkeSa& sa, Peer& peer, Turn turn) {
  sa.cannot_rekey = true;
  const auto begun = [&](Spi spi) { return sas.at(spi)->half_open(); };
  if (peer.params.endpoint && living(peer) < kAllSasOfPeer && std::ranges::none_of(peer.sas, begun)) begin(peer, turn);
}

// A peer is up while it has a CHILD SA to send on; one that should be up and has no SA is called again.
void Endpoint::State::settle(Peer& peer, Turn turn) {
  peer.counters.ike_sas = peer.counters.child_sas = 0;
  peer.counters.certificate_expires.reset();
  for (const Spi spi : peer.sas) {
    const IkeSa& sa = *sas.at(spi);
    if (!sa.established()) continue;
    ++peer.counters.ike_sas;
    if (sa.proof) peer.counters.certificate_expires = sa.proof->expires;
    peer.counters.child_sas += static_cast<std::size_t>(std::ranges::count_if(sa.children, &ChildSa::may_send));
  }
  const bool up = peer.counters.child_sas > 0;
  if (up != std::exchange(peer.counters.up, up)) {
    if (up)
      tell(wire::EventKind::kTunnelUp, peer, {}, turn);
    else
      tell(wire::EventKind::kTunnelDown, peer, peer.down_because, turn);
  }
  peer.down_because = {};
  if (!up) peer.counters.negotiated.clear();
  send_staged(peer, turn);
  const bool call = peer.params.start && peer.params.endpoint && all_ended(peer) && peer.attempt == kNever;
  if (!call) return;
  peer.attempt = turn.now + peer.params.lifetimes.retry;
  attempts.emplace(peer.attempt, peer.params.id.number);
}

}  // namespace tunnel::ike
