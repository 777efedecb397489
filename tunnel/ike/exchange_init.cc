// IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7, 2.10, 2.23), both roles. All of it is unauthenticated: it is believed only as
// far as IKE_AUTH confirms it later.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/ike/explain.h"

namespace tunnel::ike {
namespace {

constexpr std::uint32_t kMaximumRetries = 6;  // after COOKIE and INVALID_KE_PAYLOAD, in one attempt
constexpr std::size_t kMaximumCookie = 64;    // RFC 7296 2.6

constexpr std::uint8_t kHashes[] = {0, 2, 0, 3, 0, 4, 0, 5};  // SHA-256, SHA-384, SHA-512, Identity (RFC 8420)

struct InitPayloads {
  std::vector<Proposal> proposals;
  KeyExchangePayload key_exchange;
  wire::ConstBytes nonce;
};

Result<InitPayloads, ParseFailure> parse_init(const Payloads& payloads) {
  InitPayloads parsed;
  const Payload* const sa = TRY(only(payloads, PayloadType::kSa));
  const Payload* const key_exchange = TRY(only(payloads, PayloadType::kKeyExchange));
  const Payload* const nonce = TRY(only(payloads, PayloadType::kNonce));
  parsed.proposals = TRY(parse_proposals(sa->body));
  parsed.key_exchange = TRY(parse_key_exchange(key_exchange->body));
  parsed.nonce = TRY(parse_nonce(nonce->body));
  return parsed;
}

}  // namespace

NatFindings nat_of(const Incoming& message) {
  std::vector<wire::ConstBytes> sources, destinations;
  for (const Notify& notify : message.notifies) {
    if (notify.type == NotifyType::kNatDetectionSourceIp) sources.push_back(notify.data);
    if (notify.type == NotifyType::kNatDetectionDestinationIp) destinations.push_back(notify.data);
  }
  return judge_nat(sources, destinations, {message.header.initiator_spi, message.header.responder_spi},
                   message.path.remote, {message.path.local, message.door.port});
}

void Endpoint::State::begin(Peer& peer, Turn turn) {
  const auto& remote = *peer.params.endpoint;
  const auto own = std::ranges::find(params.addresses, remote.address.family(), &wire::IpAddress::family);
  const auto any = remote.address.is_v4() ? wire::IpAddress::v4({}) : wire::IpAddress::v6({});
  wire::OuterPath path{remote, own == params.addresses.end() ? any : *own, 0};
  const Door* const out = door(Door::Kind::kPlain, path);
  if (out == nullptr || peer.params.profile.groups.empty()) return;
  auto pair = crypto::KeyExchange::generate(peer.params.profile.groups.front());
  if (!pair) return;
  peer.begun = turn.now;
  IkeSa& sa = add_sa(true, turn);
  belongs_to(sa, peer);
  path.socket = out->number;
  if (out->local) path.local = *out->local;
  sa.path = path;
  sa.nat_faked = peer.params.force_encapsulation;
  sa.ends = turn.now + kAttemptLimit;
  sa.handshake->pair = std::move(*pair);
  sa.handshake->our_nonce.resize(kNonceSize);
  rng.fill(sa.handshake->our_nonce);
  send_init(sa, turn);
}

// The first time, and again with a cookie or another group: then everything else stays as it was (RFC 7296 2.6).
void Endpoint::State::send_init(IkeSa& sa, Turn turn) {
  Handshake& handshake = *sa.handshake;
  const Peer& peer = *peer_of(sa);
  handshake.offered = offer_ike(peer.params.profile, handshake.pair->group(), std::nullopt);
  Octets octets(kFirstSize);
  wire::Writer writer(octets);
  PlainMessage message(writer,
                       {.initiator_spi = sa.spis.initiator, .exchange = Exchange::kSaInit, .from_initiator = true});
  Chain& chain = message.chain();
  if (!handshake.cookie.empty()) append(chain, NotifyType::kCookie, handshake.cookie);
  append(chain, handshake.offered);
  append(chain, KeyExchangePayload{handshake.pair->group(), handshake.pair->public_value()});
  append_nonce(chain, handshake.our_nonce);
  const Door* const out = door(sa.path.socket);
  for (const wire::IpAddress& own : params.addresses) {
    if (out == nullptr || own.family() != sa.path.remote.address.family() || sa.nat_faked) continue;
    append(chain, NotifyType::kNatDetectionSourceIp, nat_hash(sa.spis, {own, out->port}));
  }
  if (sa.nat_faked) append(chain, NotifyType::kNatDetectionSourceIp, NatHash{});  // RFC 7296 2.23: a NAT, for the peer
  append(chain, NotifyType::kNatDetectionDestinationIp, nat_hash(sa.spis, sa.path.remote));
  append(chain, NotifyType::kFragmentationSupported);
  append(chain, NotifyType::kSignatureHashAlgorithms, kHashes);  // RFC 7427 4
  if (peer.params.ppk) append(chain, NotifyType::kUsePpk);       // RFC 8784 3
  handshake.our_first = octets_of(message.finish());
  sa.exchanging.kind = Exchanging::Kind::kInit;
  transmit(sa.path, sa.encapsulated, {handshake.our_first}, turn);
  sa.requests.sent({handshake.our_first}, turn.now, params.backoff);
}

// The strictest profile in use that can agree; the peer's own is checked when it is known (exchange_auth).
Result<IkeChoice, NegotiationFailure> Endpoint::State::choose(std::span<const Proposal> proposals,
                                                              crypto::Group group) {
  NegotiationFailure failure;
  for (const auto& [profile, users] : profiles) {
    auto choice = choose_ike(proposals, profile, group, false);
    if (choice || choice.error().reason != NegotiationFailure::Reason::kNoProposal) return choice;
    failure = std::move(choice.error());
  }
  return std::unexpected(std::move(failure));
}

bool Endpoint::State::some_peer_at(const wire::IpAddress& source) const {
  return std::ranges::any_of(peers, [&](const auto& entry) { return entry.second->source_allowed(source); });
}

void Endpoint::State::receive_init_request(const Incoming& message, Turn turn) {
  const Digest digest = digest_of(message.datagram);
  if (const auto known = first_messages.find(digest); known != first_messages.end()) {
    IkeSa& sa = *sas.at(known->second);
    if (message.path.remote.address != sa.first_source)  // the proof of an address is nobody else's
      return turn.out.drops.add(wire::Drop::kRateLimited);
    return transmit(message.path, message.door.encapsulates(), sa.answers.kept(), turn);
  }
  const auto parsed = parse_init(message.payloads);
  if (!parsed) return turn.out.drops.add(wire::Drop::kMalformed);
  const wire::IpAddress& source = message.path.remote.address;
  const CookieMint::Asker asker{source, message.header.initiator_spi, parsed->nonce};
  const Notify* const cookie = message.notify(NotifyType::kCookie);
  const bool proven = cookie != nullptr && cookies.good(cookie->data, asker, turn.now);
  switch (admission.judge(source, proven, turn.now, work_of(parsed->key_exchange.group))) {
    case Admission::Verdict::kAskCookie:  // RFC 7296 2.6
      turn.out.drops.add(wire::Drop::kUnderLoad);
      return answer_plain(message, NotifyType::kCookie, cookies.make(asker, turn.now), turn);
    case Admission::Verdict::kRefuse:
      return turn.out.drops.add(wire::Drop::kRateLimited);
    case Admission::Verdict::kAccept:
      break;
  }
  if (!some_peer_at(source)) {
    admission.closed(source);
    tell_stranger(message.path, "no facility with IKEv2 may come from this address: see its \"source\"", turn);
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  }
  const auto choice = choose(parsed->proposals, parsed->key_exchange.group);
  if (choice && long_enough(parsed->nonce, choice->prf)) return answer_init(message, *choice, turn);
  admission.closed(source);
  if (choice) return turn.out.drops.add(wire::Drop::kMalformed);  // RFC 7296 2.10: the nonce is too short for this prf
  if (choice.error().reason == NegotiationFailure::Reason::kInvalidKe)  // RFC 7296 1.2
    return answer_plain(message, NotifyType::kInvalidKePayload, octets_of(choice.error().group), turn);
  if (choice.error().reason != NegotiationFailure::Reason::kNoProposal)
    return turn.out.drops.add(wire::Drop::kMalformed);
  tell_stranger(message.path, explain(choice.error()), turn);
  answer_plain(message, NotifyType::kNoProposalChosen, {}, turn);
}

// RFC 7296 2.5. Shorter than what was asked, and as seldom as any first message.
void Endpoint::State::answer_critical(const Incoming& message, std::uint8_t payload, Turn turn) {
  const wire::IpAddress& source = message.path.remote.address;
  turn.out.drops.add(wire::Drop::kMalformed);
  if (!some_peer_at(source) || admission.judge(source, false, turn.now) != Admission::Verdict::kAccept) return;
  admission.closed(source);
  answer_plain(message, NotifyType::kUnsupportedCriticalPayload, std::array{payload}, turn);
}

// Counted by admission; the payloads were parsed well by the caller.
void Endpoint::State::answer_init(const Incoming& message, const IkeChoice& choice, Turn turn) {
  const auto parsed = parse_init(message.payloads);
  auto pair = crypto::KeyExchange::generate(choice.group);
  const auto secret = pair ? pair->shared_secret(parsed->key_exchange.public_value) : std::nullopt;
  if (!secret) {  // RFC 6989: not a value of this group
    admission.closed(message.path.remote.address);
    return turn.out.drops.add(wire::Drop::kForged);
  }
  IkeSa& sa = add_sa(false, turn);
  Handshake& handshake = *sa.handshake;
  sa.counted = true;
  sa.first_source = message.path.remote.address;
  sa.suite = choice;
  sa.path = message.path, sa.encapsulated = message.door.encapsulates();
  sa.spis.initiator = message.header.initiator_spi;
  sa.nat = nat_of(message);
  sa.nat_faked = encapsulation_forced(message.path.remote.address);
  sa.fragments = message.notify(NotifyType::kFragmentationSupported) != nullptr;
  sa.ends = turn.now + admission.lifetime();
  handshake.peer_nonce = octets_of(parsed->nonce);
  handshake.peer_first = octets_of(message.datagram);
  const Notify* const hashes = message.notify(NotifyType::kSignatureHashAlgorithms);
  if (hashes != nullptr) handshake.peer_hashes = hash_algorithms(*hashes).value_or(std::vector<std::uint16_t>{});
  handshake.our_nonce.resize(kNonceSize);
  rng.fill(handshake.our_nonce);
  const Nonces nonces{handshake.peer_nonce, handshake.our_nonce};
  sa.install_keys(skeyseed(choice.prf, nonces, *secret), nonces);

  Octets octets(kFirstSize);
  wire::Writer writer(octets);
  PlainMessage answered(writer, {.initiator_spi = sa.spis.initiator,
                                 .responder_spi = sa.spis.responder,
                                 .exchange = Exchange::kSaInit,
                                 .response = true});
  Chain& chain = answered.chain();
  append(chain, std::array{answer(choice, std::nullopt)});
  append(chain, KeyExchangePayload{choice.group, pair->public_value()});
  append_nonce(chain, handshake.our_nonce);
  append(chain, NotifyType::kNatDetectionSourceIp,
         sa.nat_faked ? NatHash{} : nat_hash(sa.spis, {message.path.local, message.door.port}));
  append(chain, NotifyType::kNatDetectionDestinationIp, nat_hash(sa.spis, message.path.remote));
  if (sa.fragments) append(chain, NotifyType::kFragmentationSupported);
  append(chain, NotifyType::kChildlessIkev2Supported);  // RFC 6023
  if (hashes) append(chain, NotifyType::kSignatureHashAlgorithms, kHashes);
  sa.ppk_spoken = answers_ppk(message);
  if (sa.ppk_spoken) append(chain, NotifyType::kUsePpk);  // RFC 8784 3
  append_certificate_request(chain);
  handshake.our_first = octets_of(answered.finish());
  const Digest digest = digest_of(message.datagram);
  first_messages[digest] = sa.local();
  transmit(message.path, message.door.encapsulates(), {handshake.our_first}, turn);
  sa.answers.answered(digest, {handshake.our_first});
}

void Endpoint::State::receive_init_response(IkeSa& sa, const Incoming& message, Turn turn) {
  Handshake& handshake = *sa.handshake;
  const Notify* const cookie = message.notify(NotifyType::kCookie);
  if (cookie != nullptr && message.payloads.find(PayloadType::kSa) == nullptr) {  // RFC 7296 2.6
    const bool fresh = !std::ranges::equal(cookie->data, handshake.cookie);
    if (cookie->data.empty() || cookie->data.size() > kMaximumCookie || !fresh) return;
    if (++handshake.retries > kMaximumRetries) return;
    handshake.cookie = octets_of(cookie->data);
    return send_init(sa, turn);
  }
  if (const Notify* const error = message.error()) return receive_init_error(sa, message, *error, turn);
  accept_init(sa, message, turn);
}

// RFC 7296 2.21.1: anyone can send these. Another group is tried, everything else is only remembered: the true answer
// may still come.
void Endpoint::State::receive_init_error(IkeSa& sa, const Incoming& message, const Notify& error, Turn turn) {
  Handshake& handshake = *sa.handshake;
  if (error.type == NotifyType::kInvalidKePayload) {  // RFC 7296 1.2
    const auto group = wanted_group(error);
    if (!group || !may_retry_with(*group, handshake.pair->group(), handshake.offered)) return;
    if (++handshake.retries > kMaximumRetries) return;
    auto pair = crypto::KeyExchange::generate(*group);
    if (!pair) return;
    handshake.pair = std::move(*pair);
    return send_init(sa, turn);
  }
  const std::string what =
      "the peer answers IKE_SA_INIT with " + std::string(name(error.type)) + " (not authenticated); we go on asking";
  tell_failure(*peer_of(sa), message.path, what, turn);
}

void Endpoint::State::accept_init(IkeSa& sa, const Incoming& message, Turn turn) {
  Handshake& handshake = *sa.handshake;
  const auto parsed = parse_init(message.payloads);
  if (!parsed || message.header.responder_spi == 0) return turn.out.drops.add(wire::Drop::kMalformed);
  const auto choice = accept_ike(parsed->proposals, handshake.offered, parsed->key_exchange.group);
  const bool good = choice && choice->group == handshake.pair->group() && long_enough(parsed->nonce, choice->prf);
  const auto secret = good ? handshake.pair->shared_secret(parsed->key_exchange.public_value) : std::nullopt;
  if (!secret) {  // not what we asked for: perhaps not from the peer at all
    turn.out.drops.add(wire::Drop::kForged);
    return tell_failure(*peer_of(sa), message.path, "the answer to IKE_SA_INIT does not fit what we proposed", turn);
  }
  sa.suite = *choice;
  sa.nat = nat_of(message);
  sa.spis.responder = message.header.responder_spi;
  sa.fragments = message.notify(NotifyType::kFragmentationSupported) != nullptr;
  sa.childless = message.notify(NotifyType::kChildlessIkev2Supported) != nullptr;
  sa.path.local = message.path.local;
  if (const Notify* const seen = message.notify(NotifyType::kNatDetectionDestinationIp);
      seen && seen->data.size() == 20)
    std::ranges::copy(seen->data, sa.seen_as.emplace().begin());
  handshake.peer_nonce = octets_of(parsed->nonce);
  handshake.peer_first = octets_of(message.datagram);
  handshake.pair.reset();
  if (const Notify* const hashes = message.notify(NotifyType::kSignatureHashAlgorithms))
    handshake.peer_hashes = hash_algorithms(*hashes).value_or(std::vector<std::uint16_t>{});
  const Nonces nonces{handshake.our_nonce, handshake.peer_nonce};
  sa.install_keys(skeyseed(choice->prf, nonces, *secret), nonces);
  sa.requests.answered();
  sa.exchanging = {};
  if (sa.nat.any() || sa.nat_faked) float_port(sa);  // RFC 7296 2.23
  const auto& ppk = peer_of(sa)->params.ppk;
  sa.ppk_spoken = ppk && message.notify(NotifyType::kUsePpk) != nullptr;
  if (sa.ppk_spoken) return ask_ppk(sa, turn);
  if (ppk && ppk->required) return abandon_auth(sa, "the peer does not speak of PPKs (RFC 8784)", turn);
  ask_authentication(sa, Asked::kOwnAuthentication, turn);
}

}  // namespace tunnel::ike
