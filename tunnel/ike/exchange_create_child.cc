// CREATE_CHILD_SA for CHILD SAs (RFC 7296 1.3.1, 1.3.3, 2.8, 2.8.1, 2.9, 2.25.1): new ones, and new ones in place of
// old ones. Rekeying of the IKE SA itself is exchange_rekey_ike.cc.
#include <algorithm>

#include "tunnel/ike/create_child_payloads.h"
#include "tunnel/ike/endpoint_state.h"
#include "tunnel/ike/explain.h"
#include "tunnel/ike/rekey_collision.h"
#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

constexpr std::size_t kChildrenOfSa = 16;                    // usable at once
constexpr std::size_t kAllChildrenOfSa = 3 * kChildrenOfSa;  // with those replaced and not yet deleted
constexpr std::uint32_t kMaximumRetries = 3;

using Kind = Exchanging::Kind;

}  // namespace

void Endpoint::State::receive_create_child(IkeSa& sa, const Incoming& message, Turn turn) {
  const auto asked = parse_create_child(message.payloads);
  if (!asked) {  // RFC 7296 2.21.3
    respond_error(sa, Exchange::kCreateChildSa, NotifyType::kInvalidSyntax, {}, turn);
    return retire(sa, turn);
  }
  // RFC 7296 2.25.2: an SA that is being closed or has been replaced makes nothing new.
  const auto later = [&] { respond_error(sa, Exchange::kCreateChildSa, NotifyType::kTemporaryFailure, {}, turn); };
  if (sa.phase != IkeSa::Phase::kEstablished || sa.close_wanted) return later();
  if (!peer_of(sa)->work.take(work_of(asked->group().value_or(crypto::Group::kNone)), turn.now)) return later();
  inherit_now(sa);
  const Kind busy = sa.exchanging.kind;
  if (asked->of_ike()) {
    if (busy == Kind::kNewChild || busy == Kind::kRekeyChild || busy == Kind::kDeleteChildren) return later();
    return answer_rekey_ike(sa, *asked, turn);
  }
  if (busy == Kind::kRekeyIke) return later();
  const Notify* const rekeyed = message.notify(NotifyType::kRekeySa);
  if (rekeyed == nullptr) return answer_child(sa, *asked, nullptr, turn);
  // RFC 7296 2.25.1. The SPI is the one the peer receives with.
  ChildSa* const old = rekeyed->spi.size() == 4 ? sa.child_out(wire::Reader(rekeyed->spi).u32_be()) : nullptr;
  if (old == nullptr) {
    Draft draft;
    append(draft.chain(), Notify{NotifyType::kChildSaNotFound, rekeyed->protocol, rekeyed->spi, {}});
    return respond(sa, Exchange::kCreateChildSa, draft, turn);
  }
  if (old->phase == ChildSa::Phase::kDeleting) return later();
  answer_child(sa, *asked, old, turn);
}

// `old`: is replaced; null: a new CHILD SA beside the others.
void Endpoint::State::answer_child(IkeSa& sa, const CreateChildPayloads& asked, ChildSa* old, Turn turn) {
  Peer& peer = *peer_of(sa);
  const auto refused = [&](NotifyType type, wire::ConstBytes data = {}) {
    respond_error(sa, Exchange::kCreateChildSa, type, data, turn);
  };
  if (!long_enough(asked.nonce, sa.suite.prf))  // RFC 7296 2.10
    return refused(NotifyType::kInvalidSyntax), retire(sa, turn);
  const auto choice = choose_esp(asked.proposals, peer.params.profile, asked.group(), false);
  if (!choice && choice.error().reason == NegotiationFailure::Reason::kInvalidKe)
    return refused(NotifyType::kInvalidKePayload, octets_of(choice.error().group));
  if (!choice) {
    tell_failure(peer, sa.path, explain(choice.error()), turn);
    return refused(NotifyType::kNoProposalChosen);
  }
  if (old == nullptr && std::ranges::count_if(sa.children, &ChildSa::may_send) >= static_cast<int>(kChildrenOfSa))
    return refused(NotifyType::kNoAdditionalSas);
  if (sa.children.size() >= kAllChildrenOfSa) return refused(NotifyType::kTemporaryFailure);
  const auto narrowed = narrow_for(peer, asked.initiator, asked.responder, sa.path, turn);
  if (!narrowed) return refused(NotifyType::kTsUnacceptable);
  if (old == nullptr && !room_for(peer, *narrowed)) return refused(NotifyType::kNoAdditionalSas);
  std::optional<crypto::KeyExchange> pair;
  crypto::SecretOctets secret;
  if (choice->group != crypto::Group::kNone) {
    pair = crypto::KeyExchange::generate(choice->group);
    auto shared = pair ? pair->shared_secret(asked.key_exchange->public_value) : std::nullopt;
    if (!shared) return refused(NotifyType::kInvalidSyntax), retire(sa, turn);  // RFC 6989
    secret = std::move(*shared);
  }
  Octets nonce(kNonceSize);
  rng.fill(nonce);
  const ChildPlan plan{*choice, new_child_spi(), narrowed->peer, narrowed->ours};
  Draft draft;
  Chain& chain = draft.chain();
  append(chain, std::array{answer(plan.suite, plan.in_spi)});
  append_nonce(chain, nonce);
  if (pair) append(chain, KeyExchangePayload{choice->group, pair->public_value()});
  append(chain, PayloadType::kSelectorsInitiator, plan.peer);
  append(chain, PayloadType::kSelectorsResponder, plan.ours);
  respond(sa, Exchange::kCreateChildSa, draft, turn);

  const std::uint32_t old_spi = old == nullptr ? 0 : old->in_spi;
  const Nonces nonces{asked.nonce, nonce};
  ChildSa* const made =
      add_child(sa, plan, derive_child_keys(sa.suite.prf, choice->cipher, sa.keys.d, secret, nonces), false, turn);
  if (made == nullptr || old_spi == 0) return;
  made->replaces = old_spi;
  made->sends = false;  // the peer may not have our answer yet
  if (sa.exchanging.kind == Kind::kRekeyChild && sa.exchanging.child == old_spi) {
    const wire::ConstBytes low = lowest(asked.nonce, nonce);
    sa.exchanging.rival = plan.in_spi;
    sa.exchanging.rival_nonce = {low.begin(), low.end()};
  } else {
    sa.child_in(old_spi)->phase = ChildSa::Phase::kReplaced;
  }
}

// `group`: of our KE payload.
void Endpoint::State::send_create_child(IkeSa& sa, ChildWish wish, crypto::Group group, Turn turn) {
  Peer& peer = *peer_of(sa);
  ChildSa* const old = wish.old;
  Exchanging next;
  next.retries = sa.exchanging.retries;
  next.pair = crypto::KeyExchange::generate(group);
  if (!next.pair) return;
  next.nonce.resize(kNonceSize);
  rng.fill(next.nonce);
  next.offered_spi = new_child_spi();
  child_spis[next.offered_spi] = sa.local();
  next.offered = offer_esp(peer.params.profile, group, next.offered_spi, false);
  next.ours = std::move(wish.ours), next.peer = std::move(wish.peer);
  next.one_pair = wish.one_pair;
  next.supersedes = last_order;
  Draft draft;
  Chain& chain = draft.chain();
  if (old != nullptr) {
    next.child = old->in_spi;
    old->phase = ChildSa::Phase::kRekeying;
    append(chain, NotifyType::kRekeySa, old->in_spi);
  }
  append(chain, next.offered);
  append_nonce(chain, next.nonce);
  append(chain, KeyExchangePayload{group, next.pair->public_value()});
  append(chain, PayloadType::kSelectorsInitiator, next.ours);
  append(chain, PayloadType::kSelectorsResponder, next.peer);
  sa.exchanging = std::move(next);
  request(sa, Exchange::kCreateChildSa, old == nullptr ? Kind::kNewChild : Kind::kRekeyChild, draft, turn);
}

void Endpoint::State::receive_child_response(IkeSa& sa, const Incoming& message, Turn turn) {
  Exchanging done = std::exchange(sa.exchanging, {});
  sa.requests.answered();
  if (const Notify* const error = message.error()) return child_refused(sa, done, *error, turn);
  const auto answered = parse_create_child(message.payloads);
  const auto choice = answered ? accept_esp(answered->proposals, done.offered, answered->group())
                               : std::unexpected(NegotiationFailure{});
  crypto::SecretOctets secret;
  bool good = choice && is_within(answered->initiator, done.ours) && is_within(answered->responder, done.peer) &&
              long_enough(answered->nonce, sa.suite.prf);
  if (good && choice->group != crypto::Group::kNone) {
    auto shared = choice->group == done.pair->group() ? done.pair->shared_secret(answered->key_exchange->public_value)
                                                      : std::nullopt;
    good = shared.has_value();
    if (good) secret = std::move(*shared);
  }
  if (!good) {  // the peer believes in a CHILD SA that we do not have
    child_spis.erase(done.offered_spi);
    sa.close_wanted = true;
    return tell_failure(*peer_of(sa), sa.path, "the peer's answer to CREATE_CHILD_SA is not what we proposed", turn);
  }
  const ChildPlan plan{*choice, done.offered_spi, answered->responder, answered->initiator};
  const Nonces nonces{done.nonce, answered->nonce};
  ChildSa* const made =
      add_child(sa, plan, derive_child_keys(sa.suite.prf, choice->cipher, sa.keys.d, secret, nonces), true, turn);
  if (made == nullptr) return;
  if (!allowed_child(*peer_of(sa), *made)) return bar(*made);  // it was asked for before the configuration changed
  if (!room_for(*peer_of(sa), {})) return too_many_selectors(sa, *made, turn);
  if (done.kind == Kind::kNewChild) return supersede(sa, *made, done.supersedes), rest_after(sa, *made, turn);
  made->replaces = done.child;
  settle_child_rekey(sa, done, lowest(done.nonce, answered->nonce), turn);
}

// A peer that narrows into hundreds of pieces, of CHILD SA after CHILD SA.
void Endpoint::State::too_many_selectors(IkeSa& sa, ChildSa& made, Turn turn) {
  bar(made);
  tell_failure(*peer_of(sa), sa.path,
               "the peer's CHILD SAs together have more than " + std::to_string(kSelectorsOfPeer) + " selectors", turn);
}

// What stood when the new one was asked for and holds nothing more than it does.
void Endpoint::State::supersede(IkeSa& sa, const ChildSa& made, std::uint64_t up_to) {
  for (ChildSa& child : sa.children) {
    const bool covered = is_within(child.ours, made.ours) && is_within(child.peer, made.peer);
    if (child.order <= up_to && child.phase == ChildSa::Phase::kUsed && covered)
      child.phase = ChildSa::Phase::kDeleting;
  }
}

// RFC 7296 2.8.1: whose new CHILD SA stays; who began that exchange also deletes the old one.
void Endpoint::State::settle_child_rekey(IkeSa& sa, const Exchanging& done, wire::ConstBytes own_lowest, Turn) {
  ChildSa* const old = sa.child_in(done.child);
  ChildSa* const made = sa.child_in(done.offered_spi);
  ChildSa* const rival = done.rival == 0 ? nullptr : sa.child_in(static_cast<std::uint32_t>(done.rival));
  const bool lost = rival != nullptr && !rival->closed() && lower(own_lowest, done.rival_nonce);
  if (lost) {
    made->phase = ChildSa::Phase::kDeleting;
    made->sends = false;
    if (old != nullptr && !old->closed()) old->phase = ChildSa::Phase::kReplaced;
    if (old == nullptr || old->closed()) rival->sends = true;
    return;
  }
  if (rival != nullptr && !rival->closed()) rival->phase = ChildSa::Phase::kReplaced, rival->sends = false;
  if (old != nullptr && !old->closed()) old->phase = ChildSa::Phase::kDeleting;
}

void Endpoint::State::child_refused(IkeSa& sa, const Exchanging& done, const Notify& error, Turn turn) {
  Peer& peer = *peer_of(sa);
  child_spis.erase(done.offered_spi);
  ChildSa* const old = sa.child_in(done.child);
  const bool replaced = done.rival != 0;  // the peer has done it meanwhile, and deletes the old one
  if (error.type == NotifyType::kInvalidSyntax) return fatal_answer(sa, turn);
  // One that was barred or came to its end meanwhile stays on its way out.
  if (old != nullptr && old->phase == ChildSa::Phase::kRekeying)
    old->phase = replaced ? ChildSa::Phase::kReplaced : ChildSa::Phase::kUsed;
  if (error.type == NotifyType::kInvalidKePayload && done.retries < kMaximumRetries && !replaced) {
    const auto group = wanted_group(error);
    const bool again = old != nullptr && old->phase == ChildSa::Phase::kUsed;
    if (done.child != 0 && !again) return;  // on its way out
    if (group && may_retry_with(*group, done.pair->group(), done.offered)) {
      sa.exchanging.retries = done.retries + 1;
      return send_create_child(sa, {done.ours, done.peer, old, done.one_pair}, *group, turn);
    }
  }
  if (replaced) return;
  if (done.one_pair) return pair_refused(sa, done, error.type, turn);
  if (done.kind == Kind::kNewChild && asks_for_less(error.type) && begin_pairs(sa, turn)) return;
  const bool passing = error.type == NotifyType::kTemporaryFailure;
  const auto again = [&](Instant end) {
    return passing ? after_a_pause(turn.now, end) : turn.now + peer.params.lifetimes.retry;
  };
  if (error.type == NotifyType::kChildSaNotFound && done.kind == Kind::kRekeyChild) {  // RFC 7296 2.25.1
    if (old == nullptr || old->closed()) return want_child(sa, turn);  // its Delete came before this answer
    close_child(sa, *old, turn);
    sa.child_wanted = turn.now;
    return;
  }
  if (done.kind == Kind::kNewChild) {
    sa.child_wanted = again(sa.ends);
    sa.wider_refused = passing && std::ranges::any_of(sa.children, &ChildSa::may_send);  // RFC 7296 2.25: ask again
  }
  if (old != nullptr) old->rekey = again(old->ends);
  if (passing) return;
  tell_failure(peer, sa.path, "the peer answers CREATE_CHILD_SA with " + std::string(name(error.type)), turn);
  if (done.kind == Kind::kRekeyChild) make_anew(sa, peer, turn);
}

}  // namespace tunnel::ike
