// IKE SAs, CHILD SAs and peers come and go. Nothing is freed while a call runs: `bury` marks, `end_call` takes away
// (S16).
#include <algorithm>
#include <ranges>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/ike/explain.h"
#include "tunnel/ike/told_keys.h"
#include "tunnel/wire/reader.h"

namespace tunnel::ike {

std::vector<Selector> selectors_of(const std::vector<wire::Prefix>& prefixes) {
  std::vector<Selector> selectors;
  for (const wire::Prefix& prefix : prefixes) selectors.push_back(Selector::of(prefix));
  return selectors;
}

Peer::Peer(const PeerParams& wanted)
    : params(wanted), remote(selectors_of(wanted.remote_networks)), local(selectors_of(wanted.local_networks)) {}

bool Peer::source_allowed(const wire::IpAddress& source) const {
  return params.outer_sources.empty() ||
         std::ranges::any_of(params.outer_sources, [&](const wire::Prefix& p) { return p.contains(source); });
}

// Random, with the worker in the top 8 bits (design 7), and not in use.
Spi Endpoint::State::new_ike_spi() {
  for (;;) {
    std::array<std::uint8_t, 8> octets{};
    rng.fill(octets);
    octets[0] = params.worker;
    const Spi spi = wire::Reader(octets).u64_be();
    if (spi != 0 && !sas.contains(spi)) return spi;
  }
}

IkeSa& Endpoint::State::add_sa_with(Spi own, bool initiator, Turn turn) {
  IkeSa& sa = *(sas[own] = std::make_unique<IkeSa>());
  sa.initiator = initiator;
  (initiator ? sa.spis.initiator : sa.spis.responder) = own;
  sa.phase = initiator ? IkeSa::Phase::kInitSent : IkeSa::Phase::kInitAnswered;
  sa.handshake = std::make_unique<Handshake>();
  sa.heard = turn.now;
#ifdef SEKISHO_FAULTS
  sa.tell_keys = faults.tell_keys;
#endif
  touched.push_back(own);
  return sa;
}

IkeSa* Endpoint::State::sa_by_spi(Spi local) {
  const auto found = sas.find(local);
  if (found == sas.end() || found->second->phase == IkeSa::Phase::kDead) return nullptr;
  touched.push_back(local);
  return found->second.get();
}

// RFC 4303 2.1: 0 to 255 are reserved; and zero would be the non-ESP marker.
std::uint32_t Endpoint::State::new_child_spi() {
  for (;;) {
    std::array<std::uint8_t, 4> octets{};
    rng.fill(octets);
    octets[0] = params.worker;
    const std::uint32_t spi = wire::Reader(octets).u32_be();
    if (spi > 255 && !child_spis.contains(spi)) return spi;
  }
}

Peer* Endpoint::State::peer_of(const IkeSa& sa) {
  const auto found = sa.peer_known ? peers.find(sa.peer.number) : peers.end();
  return found == peers.end() ? nullptr : found->second.get();
}

Peer* Endpoint::State::peer_named(const IdentityValue& identity) const {
  const auto found = names.find(identity);
  return found == names.end() ? nullptr : peers.at(found->second).get();
}

void Endpoint::State::belongs_to(IkeSa& sa, Peer& peer) {
  sa.peer = peer.params.id;
  sa.peer_known = true;
  peer.sas.push_back(sa.local());
}

// A part of it by chance: both ends seldom rekey at once (RFC 7296 2.8).
Instant Endpoint::State::soon(Instant from, Duration life, Duration margin) {
  const Duration before_the_end = std::max(life / 10, std::min(margin, life / 10 * 9));
  const Duration earliest = (life - before_the_end) / 9 * 8;
  return from + earliest + (life - before_the_end - earliest) / 10 * rng.below(11);
}

// RFC 7296 2.25: not at once again, and well before the end.
Instant Endpoint::State::after_a_pause(Instant now, Instant end) {
  const Duration pause = std::chrono::milliseconds(1000 + rng.below(2000));
  return now + std::max(std::min(pause, (end - now) / 5), Duration(std::chrono::milliseconds(10)));
}

void Endpoint::State::no_longer_half_open(IkeSa& sa) {
  if (!std::exchange(sa.counted, false)) return;
  admission.closed(sa.first_source);
  std::erase_if(first_messages, [&](const auto& entry) { return entry.second == sa.local(); });
}

void Endpoint::State::establish(IkeSa& sa, Peer& peer, const Authenticated& /*proof*/, Turn turn) {
  const bool initial_contact = sa.handshake && sa.handshake->initial_contact;
  no_longer_half_open(sa);
  sa.phase = IkeSa::Phase::kEstablished;
  sa.handshake.reset();
  sa.authenticated.reset();
  sa.rekey = soon(turn.now, peer.params.lifetimes.ike, peer.params.lifetimes.margin);
  sa.ends = turn.now + peer.params.lifetimes.ike;
  keep_mapping(sa, turn);
  peer.path = sa.path;
  ++peer.counters.handshakes;
  peer.counters.last_handshake = turn.now;
  tell(wire::EventKind::kHandshakeDone, peer, "IKE SA: " + to_string(sa.suite), turn);
  std::vector<Spi> others;
  for (const Spi spi : peer.sas)
    if (spi != sa.local()) others.push_back(spi);
  std::size_t kept = 0;
  for (const Spi spi : std::views::reverse(others)) {
    IkeSa* const other = sa_by_spi(spi);
    const bool closing = other != nullptr && other->phase == IkeSa::Phase::kClosing;
    if (other == nullptr || (!other->established() && !closing)) continue;
    const auto& there = other->held ? other->held->path : other->path;  // a place that is not proven is nobody's
    if (there.remote.address != sa.path.remote.address)
      end_elsewhere(*other, sa, peer, turn);  // also with INITIAL_CONTACT: who is elsewhere may be somebody else
    else if (closing)
      continue;
    else if (initial_contact)
      bury(*other);  // RFC 7296 2.4: the peer knows of no other
    else if (++kept >= kSasOfPeer)
      other->close_wanted = true;
  }
  forget_closing(peer);
}

// One live session of an identity (docs/decisions/0015): who has proved it from another address has it from now on, and
// the one before is gone at once, both ways, whatever request of ours is outstanding on it: an answer must not give it
// a successor. Its Delete is repeated without it. From one address there may be several: rekeying and reauthentication
// make before they break.
void Endpoint::State::end_elsewhere(IkeSa& other, const IkeSa& sa, Peer& peer, Turn turn) {
  part_from(other, turn);
  bury(other);
  tell(wire::EventKind::kPeerMoved, peer,
       "its session from " + other.path.remote.address.to_string() +
           " ends: the same identity has proved itself from " + sa.path.remote.address.to_string(),
       turn);
}

// A peer that never answers our Delete would else keep as many as it can make in that time, and every packet to it
// looks through their selectors.
void Endpoint::State::forget_closing(Peer& peer) {
  std::size_t spare = living(peer) > kAllSasOfPeer ? living(peer) - kAllSasOfPeer : 0;
  for (const Spi spi : std::vector<Spi>(peer.sas)) {  // the oldest first
    IkeSa& sa = *sas.at(spi);
    const bool leaves = sa.close_wanted || sa.phase == IkeSa::Phase::kClosing || sa.phase == IkeSa::Phase::kReplaced;
    if (spare == 0 || !leaves || sa.phase == IkeSa::Phase::kDead) continue;
    bury(sa);
    --spare;
  }
}

ChildSa* Endpoint::State::add_child(IkeSa& sa, const ChildPlan& plan, const ChildKeys& keys, bool we_began, Turn turn) {
  Peer& peer = *peer_of(sa);
  ChildSa child;
  child.in_spi = plan.in_spi;
  child.out_spi = plan.suite.peer_spi;
  child.suite = plan.suite;
  child.peer = plan.peer, child.ours = plan.ours;
  const crypto::SecretOctets& out_key = we_began ? keys.initiator : keys.responder;
  const crypto::SecretOctets& in_key = we_began ? keys.responder : keys.initiator;
  child.outbound = esp::OutboundSa::make({child.out_spi, plan.suite.cipher, out_key.expose(), plan.suite.esn});
  child.inbound = esp::InboundSa::make({child.in_spi, plan.suite.cipher, in_key.expose(), plan.suite.esn});
  if (!child.outbound || !child.inbound) {  // a reserved SPI of the peer's: RFC 4303 2.1
    sa.close_wanted = true;
    child_spis.erase(child.in_spi);
    tell_failure(peer, sa.path, "the peer's CHILD SA cannot be used", turn);
    return nullptr;
  }
#ifdef SEKISHO_FAULTS
  if (faults.tell_keys) faults.tell_keys(told_esp_key(child.out_spi, child.suite, out_key));
  if (faults.tell_keys) faults.tell_keys(told_esp_key(child.in_spi, child.suite, in_key));
#endif
  child.order = ++last_order;
  child.rekey = soon(turn.now, peer.params.lifetimes.child, peer.params.lifetimes.margin);
  child.ends = turn.now + peer.params.lifetimes.child;
  child_spis[child.in_spi] = sa.local();
  sa.children.push_back(std::move(child));
  ++peer.counters.handshakes;
  peer.counters.last_handshake = turn.now;
  peer.counters.negotiated =
      "ESP " + to_string(plan.suite) + "; IKE " + to_string(sa.suite) + (sa.ppk_key.empty() ? "" : "; PPK");
  tell(wire::EventKind::kHandshakeDone, peer,
       "CHILD SA: " + to_string(plan.suite) + "; theirs " + to_string(plan.peer) + "; ours " + to_string(plan.ours),
       turn);
  return &sa.children.back();
}

// Nothing is sent on it from now on; what was under way is still opened for a moment.
void Endpoint::State::close_child(IkeSa& sa, ChildSa& child, Turn turn) {
  for (ChildSa& heir : sa.children)
    if (heir.replaces == child.in_spi && heir.phase == ChildSa::Phase::kUsed) heir.sends = true;  // RFC 7296 2.8
  child.phase = ChildSa::Phase::kLingering;
  child.ends = turn.now + kLinger;
  child.rekey = kNever;
  child.outbound.reset();
}

void Endpoint::State::retire(IkeSa& sa, Turn turn) {
  pass_to_rival(sa);
  forget_spis(sa);
  sa.children.clear();
  sa.phase = IkeSa::Phase::kRefused;
  sa.rekey = sa.keepalive = kNever;
  sa.ends = turn.now + kRepeatFor;
  if (sa.counted) {  // who was refused takes no place from others, and repeating an answer is not for everybody
    no_longer_half_open(sa);
    if (repeating >= kMostRefused) return bury(sa);
    ++repeating, sa.counts_as_refused = true;
  }
  sa.close_wanted = false;  // it is closed: its end is not a Delete of ours
  if (sa.requests.outstanding()) sa.requests.answered();
  sa.exchanging = {};
  if (Peer* const peer = peer_of(sa)) forget_repeating(*peer);
}

// RFC 7296 2.25.2: it ends while we were rekeying it; what the peer made of its own rekeying has the CHILD SAs now.
void Endpoint::State::pass_to_rival(IkeSa& sa) {
  IkeSa* const rival = sa.exchanging.kind == Exchanging::Kind::kRekeyIke ? sa_by_spi(sa.exchanging.rival) : nullptr;
  if (rival != nullptr) inherit(sa, *rival);
}

// Nothing comes in on what it has, or has offered, from now on.
void Endpoint::State::forget_spis(const IkeSa& sa) {
  const auto forget = [&](std::uint32_t spi) {
    if (const auto found = child_spis.find(spi); found != child_spis.end() && found->second == sa.local())
      child_spis.erase(found);
  };
  for (const ChildSa& child : sa.children) forget(child.in_spi);
  forget(sa.exchanging.offered_spi);
  if (!sa.handshake) return;
  forget(sa.handshake->offered_spi);
  if (sa.handshake->child) forget(sa.handshake->child->in_spi);
}

bool Endpoint::State::room_for(const Peer& peer, const NarrowedSelectors& more) const {
  std::size_t there = more.peer.size() + more.ours.size();
  for (const Spi spi : peer.sas)
    for (const ChildSa& child : sas.at(spi)->children)
      if (child.may_send()) there += child.peer.size() + child.ours.size();
  return there <= kSelectorsOfPeer;
}

// A peer that rekeys every second would else have no room for the next IKE SA.
void Endpoint::State::forget_repeating(Peer& peer) {
  std::size_t kept = 0;
  for (const Spi spi : std::views::reverse(peer.sas)) {  // the newest first
    IkeSa& sa = *sas.at(spi);
    if (sa.phase == IkeSa::Phase::kRefused && ++kept > kRepeatingOfPeer) bury(sa);
  }
}

void Endpoint::State::bury(IkeSa& sa) {
  sa.phase = IkeSa::Phase::kDead;
  touched.push_back(sa.local());
}

std::optional<NarrowedSelectors> Endpoint::State::narrow_for(Peer& peer, std::span<const Selector> theirs,
                                                             std::span<const Selector> ours,
                                                             const wire::OuterPath& path, Turn turn) {
  SelectorPolicy policy{peer.remote, peer.local, {}};
  std::size_t steps = 0;
  auto narrowed = narrow(theirs, ours, policy, steps);
  peer.work.owe(static_cast<std::uint32_t>(steps / kStepsOfUnit));
  if (narrowed) return std::move(*narrowed);
  if (!would_be_first(peer.failure_told, turn.now)) return std::nullopt;
  std::vector<wire::Prefix> foreign;  // only looked at for the record
  for (const auto& [number, other] : peers) {
    if (other.get() == &peer) continue;
    foreign.insert(foreign.end(), other->params.remote_networks.begin(), other->params.remote_networks.end());
  }
  policy.foreign = foreign;
  const auto refusal = narrow(theirs, ours, policy);
  tell_failure(peer, path, explain(refusal ? narrowed.error() : refusal.error(), theirs, ours, policy), turn);
  return std::nullopt;
}

// The strict profiles first; each once.
void Endpoint::State::count_profile(const Profile& profile, bool added) {
  const auto found = std::ranges::find(profiles, profile, &std::pair<Profile, std::size_t>::first);
  if (found != profiles.end()) {
    found->second += added ? 1 : static_cast<std::size_t>(-1);
    if (found->second == 0) profiles.erase(found);
    return;
  }
  const auto place = std::ranges::find_if(profiles, [&](const auto& entry) { return profile.name < entry.first.name; });
  profiles.insert(place, {profile, 1});
}

// The Delete goes out once; whether it arrives is the peer's liveness check's matter.
void Endpoint::State::remove_peer(Peer& peer, Turn turn) {
  for (const Spi spi : std::vector<Spi>(peer.sas)) {
    IkeSa* const sa = sa_by_spi(spi);
    if (sa == nullptr) continue;
    expel(*sa, {}, turn);
    sa->peer_known = false;
  }
  if (std::exchange(peer.counters.up, false))
    tell(wire::EventKind::kTunnelDown, peer, "the configuration no longer has it so", turn);
  turn.out.drops.add(wire::Drop::kNoSession, peer.staged.size());
  attempts.erase({peer.attempt, peer.params.id.number});
  count_profile(peer.params.profile, false);
  count_authorities(peer.params, false);
  names.erase(peer.params.remote_id);
  encapsulating.erase(peer.params.id.number);
  peers.erase(peer.params.id.number);
}

}  // namespace tunnel::ike
