// INFORMATIONAL (RFC 7296 1.4, 2.4, 2.25): Delete of CHILD SAs and of the IKE SA, liveness checks. Everything here is
// authenticated.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

Result<std::vector<DeletePayload>, ParseFailure> parse_deletes(const Payloads& payloads) {
  std::vector<DeletePayload> deletes;
  for (const Payload& payload : payloads)
    if (payload.type == PayloadType::kDelete) deletes.push_back(TRY(parse_delete(payload.body)));
  return deletes;
}

constexpr std::size_t kLargestCookie2 = 64;
constexpr std::string_view kRefusedUs =
    "the router refuses us (AUTHENTICATION_FAILED): our preshared key, certificate, signing key or local_id is not "
    "what "
    "it expects";

bool deletes_ike(const std::vector<DeletePayload>& deletes) {
  return std::ranges::any_of(deletes, [](const DeletePayload& d) { return d.protocol == Protocol::kIke; });
}

}  // namespace

void Endpoint::State::receive_informational(IkeSa& sa, const Incoming& message, Turn turn) {
  const auto deletes = parse_deletes(message.payloads);
  if (!deletes) {  // RFC 7296 2.21.3: fatal for both
    respond_error(sa, Exchange::kInformational, NotifyType::kInvalidSyntax, {}, turn);
    return retire(sa, turn);
  }
  Draft draft;
  // RFC 7296 2.21.2: so says an initiator that does not take our AUTH or certificate.
  const bool refused_us = message.notify(NotifyType::kAuthenticationFailed) != nullptr;
  if (refused_us || deletes_ike(*deletes)) {
    Peer* const peer = peer_of(sa);
    if (peer != nullptr) peer->down_because = refused_us ? kRefusedUs : "the peer ended the IKE SA";
    if (peer != nullptr && refused_us) tell_failure(*peer, sa.path, kRefusedUs, turn);
    respond(sa, Exchange::kInformational, draft, turn);
    return retire(sa, turn);
  }
  inherit_now(sa);
  DeletePayload ours{Protocol::kEsp, {}};
  for (const DeletePayload& payload : *deletes) {
    if (payload.protocol != Protocol::kEsp) continue;
    for (const std::uint32_t spi : payload.spis) {
      ChildSa* const child = sa.child_out(spi);
      if (child == nullptr) continue;
      // RFC 7296 1.4.1: when both delete it at once, neither names it in the answer.
      if (child->phase != ChildSa::Phase::kDeleting) ours.spis.push_back(child->in_spi);
      close_child(sa, *child, turn);
      if (Peer* const peer = peer_of(sa)) peer->down_because = "the peer ended the CHILD SA";
    }
  }
  if (!ours.spis.empty()) append(draft.chain(), ours);
  if (const auto refused = take_update(sa, message, turn))
    append(draft.chain(), *refused);
  else if (sa.mobike && message.notify(NotifyType::kNatDetectionSourceIp) != nullptr)
    append_nat_detection(draft.chain(), sa, message.path);
  // RFC 4555 4.2.5: 8 to 64 octets, sent back as they came.
  const Notify* const cookie = message.notify(NotifyType::kCookie2);
  if (cookie != nullptr && cookie->data.size() <= kLargestCookie2)
    append(draft.chain(), NotifyType::kCookie2, cookie->data);
  respond(sa, Exchange::kInformational, draft, turn);
  want_child(sa, turn);
}

// RFC 7296 2.21.3: the peer could not read us, and has given the IKE SA up.
void Endpoint::State::fatal_answer(IkeSa& sa, Turn turn) {
  Peer& peer = *peer_of(sa);
  tell_failure(peer, sa.path, "the peer answers with INVALID_SYNTAX: the IKE SA has ended", turn);
  peer.down_because = "the peer could not read a message of ours";
  retire(sa, turn);
}

// RFC 7296 2.21: an authenticated answer that cannot be read. The SA is gone, and the peer, which believes in it, is
// told.
void Endpoint::State::unreadable_answer(IkeSa& sa, std::string_view why, Turn turn) {
  if (Peer* const peer = peer_of(sa)) peer->down_because = why;
  sa.requests.answered();
  forget_spis(sa);
  sa.exchanging = {};
  part_from(sa, turn);
  bury(sa);
}

// A peer that is to be up all the time, and has an IKE SA with nothing in it.
void Endpoint::State::want_child(IkeSa& sa, Turn turn) {
  const bool empty = std::ranges::none_of(sa.children, &ChildSa::may_send);
  if (empty && peer_of(sa)->params.start && sa.child_wanted == kNever)
    sa.child_wanted = turn.now + std::chrono::seconds(1);
}

void Endpoint::State::receive_informational_response(IkeSa& sa, const Incoming& message, Turn turn) {
  const Exchanging done = std::exchange(sa.exchanging, {});
  sa.requests.answered();
  if (done.kind == Exchanging::Kind::kDeleteIke) return bury(sa);
  if (message.notify(NotifyType::kInvalidSyntax) != nullptr) return fatal_answer(sa, turn);
  if (done.kind == Exchanging::Kind::kUpdateAddresses) update_answered(sa, message, turn);
  if (done.kind == Exchanging::Kind::kRoutability) routability_answered(sa, done, message, turn);
  if (done.kind == Exchanging::Kind::kLiveness) mapping_answered(sa, message);
  for (const std::uint32_t spi : done.deleted)
    if (ChildSa* const child = sa.child_in(spi); child != nullptr && !child->closed()) close_child(sa, *child, turn);
  want_child(sa, turn);
}

// RFC 7296 2.4: an empty request; any answer shows that the peer lives.
void Endpoint::State::send_liveness(IkeSa& sa, Turn turn) {
  Draft draft;
  // RFC 4555 3.8: so we see when the NAT in front of us gives us another address.
  if (sa.mobike && sa.moves && sa.nat.we_behind) append_nat_detection(draft.chain(), sa, sa.path);
  request(sa, Exchange::kInformational, Exchanging::Kind::kLiveness, draft, turn);
}

void Endpoint::State::send_delete_ike(IkeSa& sa, Turn turn) {
  Peer* const peer = peer_of(sa);
  if (peer != nullptr && sa.ends <= turn.now) peer->down_because = "the IKE SA was not rekeyed before its end";
  Draft draft;
  append(draft.chain(), DeletePayload{});
  sa.phase = IkeSa::Phase::kClosing;
  sa.ends = turn.now + kRepeatFor;  // then it is gone also without an answer
  request(sa, Exchange::kInformational, Exchanging::Kind::kDeleteIke, draft, turn);
}

void Endpoint::State::send_delete_children(IkeSa& sa, Turn turn) {
  Draft draft;
  DeletePayload payload{Protocol::kEsp, {}};
  for (const ChildSa& child : sa.children)
    if (child.phase == ChildSa::Phase::kDeleting) payload.spis.push_back(child.in_spi);
  append(draft.chain(), payload);
  request(sa, Exchange::kInformational, Exchanging::Kind::kDeleteChildren, draft, turn);
  sa.exchanging.deleted = payload.spis;
}

}  // namespace tunnel::ike
