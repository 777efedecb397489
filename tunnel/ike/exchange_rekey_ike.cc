// CREATE_CHILD_SA for the IKE SA itself (RFC 7296 1.3.2, 2.8, 2.8.2, 2.18, 2.25.2): a new IKE SA inherits the CHILD
// SAs, the old one is deleted by the end that began the exchange that stays.
#include <algorithm>

#include "tunnel/ike/create_child_payloads.h"
#include "tunnel/ike/endpoint_state.h"
#include "tunnel/ike/explain.h"
#include "tunnel/ike/rekey_collision.h"

namespace tunnel::ike {
namespace {

constexpr std::uint32_t kMaximumRetries = 3;
// Then we delete it ourselves. Whoever began the rekeying repeats its request as long as that, and has nothing but the
// old one until our answer arrives: our Delete would end its tunnel (RFC 7296 2.4, 2.8).
constexpr Duration kReplacedLimit = std::chrono::minutes(4);
constexpr Duration kRedundantLimit = std::chrono::seconds(10);  // then it is forgotten without a word

using Kind = Exchanging::Kind;

}  // namespace

// The new IKE SA takes over what the path, the peer and the NAT are; message IDs begin anew (RFC 7296 2.2).
IkeSa& Endpoint::State::succeed(IkeSa& old, const Succession& what, Turn turn) {
  Peer& peer = *peer_of(old);
  IkeSa& sa = what.own_spi == 0 ? add_sa(what.initiator, turn) : add_sa_with(what.own_spi, what.initiator, turn);
  (what.initiator ? sa.spis.responder : sa.spis.initiator) = what.suite.peer_spi;
  sa.handshake.reset();
  belongs_to(sa, peer);
  sa.suite = what.suite;
  sa.path = old.path, sa.encapsulated = old.encapsulated, sa.nat = old.nat, sa.nat_faked = old.nat_faked;
  sa.fragments = old.fragments, sa.childless = old.childless, sa.mobike = old.mobike;
  sa.moves = old.moves, sa.held = old.held;
  // What is under way on the old one may find it replaced at the peer, and be answered without effect.
  // RFC 4555 3.8: what the NAT in front of us made of our address is not to be compared any more (its hash has the
  // SPIs in it); that it was changed meanwhile would not be seen.
  const bool behind = old.mobike && old.moves && old.nat.we_behind;
  sa.update_wanted = behind || old.update_wanted || old.exchanging.kind == Kind::kUpdateAddresses;
  sa.addresses_wanted = old.addresses_wanted || old.exchanging.kind == Kind::kAddresses;
  sa.proof_wanted = old.held.has_value();
  sa.keepalive = old.keepalive;
  sa.proof = old.proof, sa.ppk_key = old.ppk_key;
  sa.install_keys(rekeyed_skeyseed(old.suite.prf, old.keys.d, what.secret, what.nonces), what.nonces);
  sa.phase = IkeSa::Phase::kEstablished;
  sa.rekey = soon(turn.now, peer.params.lifetimes.ike, peer.params.lifetimes.margin);
  sa.ends = turn.now + peer.params.lifetimes.ike;
  ++peer.counters.handshakes;
  peer.counters.last_handshake = turn.now;
  tell(wire::EventKind::kHandshakeDone, peer, "IKE SA rekeyed: " + to_string(sa.suite), turn);
  return sa;
}

void Endpoint::State::inherit(IkeSa& from, IkeSa& to) {
  for (ChildSa& child : from.children) {
    child_spis[child.in_spi] = to.local();
    to.children.push_back(std::move(child));
  }
  from.children.clear();
  to.wider_wanted = to.wider_wanted || from.wider_wanted;
  to.child_wanted = std::min(to.child_wanted, from.child_wanted);
  to.wider_refused = to.wider_refused || from.wider_refused;
  if (from.pairs.begun) to.pairs = std::exchange(from.pairs, {});
}

// The peer uses an IKE SA of its own rekeying, while ours of the same one is outstanding. Who has lost says nothing on
// its new one but its Delete (RFC 7296 2.8.1): the peer has won, or has never heard of ours, which was lost.
void Endpoint::State::inherit_now(IkeSa& sa) {
  const Peer* const peer = peer_of(sa);
  if (peer == nullptr || !sa.children.empty()) return;
  for (const Spi spi : peer->sas) {
    IkeSa& old = *sas.at(spi);
    if (old.exchanging.kind == Kind::kRekeyIke && old.exchanging.rival == sa.local()) return inherit(old, sa);
  }
}

// Whoever replaced it deletes it; if that never comes, we do.
void Endpoint::State::replaced(IkeSa& sa, Turn turn) {
  sa.phase = IkeSa::Phase::kReplaced;
  sa.rekey = sa.keepalive = kNever;
  sa.ends = std::min(sa.ends, turn.now + kReplacedLimit);
}

void Endpoint::State::answer_rekey_ike(IkeSa& sa, const CreateChildPayloads& asked, Turn turn) {
  Peer& peer = *peer_of(sa);
  // One rival of our own rekeying is enough, and no peer needs more IKE SAs than a handful.
  const bool rivals = sa.exchanging.kind == Kind::kRekeyIke && sa.exchanging.rival != 0;
  if (rivals || living(peer) >= kAllSasOfPeer)
    return respond_error(sa, Exchange::kCreateChildSa, NotifyType::kTemporaryFailure, {}, turn);
  const auto choice = choose_ike(asked.proposals, peer.params.profile, asked.key_exchange->group, true);
  if (!choice && choice.error().reason == NegotiationFailure::Reason::kInvalidKe)
    return respond_error(sa, Exchange::kCreateChildSa, NotifyType::kInvalidKePayload, octets_of(choice.error().group),
                         turn);
  if (!choice) {
    tell_failure(peer, sa.path, explain(choice.error()), turn);
    return respond_error(sa, Exchange::kCreateChildSa, NotifyType::kNoProposalChosen, {}, turn);
  }
  auto pair = crypto::KeyExchange::generate(choice->group);
  const auto secret = pair ? pair->shared_secret(asked.key_exchange->public_value) : std::nullopt;
  if (!secret || !long_enough(asked.nonce, choice->prf)) {  // RFC 6989, RFC 7296 2.10
    respond_error(sa, Exchange::kCreateChildSa, NotifyType::kInvalidSyntax, {}, turn);
    return retire(sa, turn);
  }
  Octets nonce(kNonceSize);
  rng.fill(nonce);
  IkeSa& made = succeed(sa, {false, 0, *choice, *secret, {asked.nonce, nonce}}, turn);
  Draft draft;
  append(draft.chain(), std::array{answer(*choice, made.local())});
  append_nonce(draft.chain(), nonce);
  append(draft.chain(), KeyExchangePayload{choice->group, pair->public_value()});
  respond(sa, Exchange::kCreateChildSa, draft, turn);
  if (sa.exchanging.kind == Kind::kRekeyIke) {  // RFC 7296 2.8.1: decided when our own answer comes
    const wire::ConstBytes low = lowest(asked.nonce, nonce);
    sa.exchanging.rival = made.local();
    sa.exchanging.rival_nonce = {low.begin(), low.end()};
    return;
  }
  inherit(sa, made);
  replaced(sa, turn);
}

void Endpoint::State::send_rekey_ike(IkeSa& sa, crypto::Group group, Turn turn) {
  Exchanging next;
  next.retries = sa.exchanging.retries;
  next.pair = crypto::KeyExchange::generate(group);
  if (!next.pair) return;
  next.nonce.resize(kNonceSize);
  rng.fill(next.nonce);
  next.offered_ike = new_ike_spi();
  next.offered = offer_ike(peer_of(sa)->params.profile, group, next.offered_ike);
  Draft draft;
  append(draft.chain(), next.offered);
  append_nonce(draft.chain(), next.nonce);
  append(draft.chain(), KeyExchangePayload{group, next.pair->public_value()});
  sa.exchanging = std::move(next);
  request(sa, Exchange::kCreateChildSa, Kind::kRekeyIke, draft, turn);
}

void Endpoint::State::receive_rekey_ike_response(IkeSa& sa, const Incoming& message, Turn turn) {
  Exchanging done = std::exchange(sa.exchanging, {});
  sa.requests.answered();
  IkeSa* const rival = done.rival == 0 ? nullptr : sa_by_spi(done.rival);
  if (const Notify* const error = message.error()) return rekey_ike_refused(sa, rival, done, *error, turn);
  const auto answered = parse_create_child(message.payloads);
  const auto choice = answered && answered->key_exchange
                          ? accept_ike(answered->proposals, done.offered, answered->key_exchange->group)
                          : std::unexpected(NegotiationFailure{});
  const bool good = choice && choice->peer_spi != 0 && choice->group == done.pair->group() &&
                    long_enough(answered->nonce, choice->prf);
  const auto secret = good ? done.pair->shared_secret(answered->key_exchange->public_value) : std::nullopt;
  if (!secret) {
    sa.close_wanted = true;
    return tell_failure(*peer_of(sa), sa.path,
                        "the peer's answer to the rekeying of the IKE SA is not what we proposed", turn);
  }
  const bool leaves = sa.close_wanted;  // and so does what it is replaced by
  IkeSa& made = succeed(sa, {true, done.offered_ike, *choice, *secret, {done.nonce, answered->nonce}}, turn);
  const bool lost = rival != nullptr && lower(lowest(done.nonce, answered->nonce), done.rival_nonce);
  IkeSa& heir = lost ? *rival : made;
  inherit(sa, heir);
  heir.close_wanted = heir.close_wanted || leaves;
  if (lost) {  // the peer's new one stays, and the peer deletes the old one
    made.close_wanted = true;
    return replaced(sa, turn);
  }
  if (rival != nullptr) {   // RFC 7296 2.25.2: our Delete of the old one may reach the peer before our answer did
    inherit(*rival, made);  // what inherit_now gave it, to a peer that used it before it had seen ours
    replaced(*rival, turn);
    rival->redundant = true;
    rival->ends = turn.now + kRedundantLimit;
  }
  sa.close_wanted = true;
}

void Endpoint::State::rekey_ike_refused(IkeSa& sa, IkeSa* rival, const Exchanging& done, const Notify& error,
                                        Turn turn) {
  if (error.type == NotifyType::kInvalidSyntax) return fatal_answer(sa, turn);
  if (rival != nullptr) {  // the peer has done it meanwhile
    inherit(sa, *rival);
    return replaced(sa, turn);
  }
  Peer& peer = *peer_of(sa);
  if (error.type == NotifyType::kInvalidKePayload && done.retries < kMaximumRetries) {
    const auto group = wanted_group(error);
    if (group && may_retry_with(*group, done.pair->group(), done.offered)) {
      sa.exchanging.retries = done.retries + 1;
      return send_rekey_ike(sa, *group, turn);
    }
  }
  const bool passing = error.type == NotifyType::kTemporaryFailure;
  sa.rekey = passing ? after_a_pause(turn.now, sa.ends) : turn.now + peer.params.lifetimes.retry;
  if (passing) return;
  tell_failure(peer, sa.path, "the peer answers the rekeying of the IKE SA with " + std::string(name(error.type)),
               turn);
  make_anew(sa, peer, turn);
}

}  // namespace tunnel::ike
