// IKE_AUTH (RFC 7296 1.2, 2.15, 2.16, 2.21.2), both roles. keyd computes both AUTH values; until the peer's is verified
// nothing it said has any effect but the refusal.
#include <algorithm>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/ike/explain.h"

namespace tunnel::ike {
namespace {

struct AuthPayloads {
  wire::ConstBytes identity;                // whole body
  std::optional<Identity> wanted_identity;  // responder: IDr, who the initiator wants to talk to
  std::optional<Authentication> authentication;
  std::vector<Octets> certificates;
  bool child = false;
  std::vector<Proposal> proposals;
  std::vector<Selector> initiator, responder;
};

// `own_id`: whose ID payload must be there.
Result<AuthPayloads, ParseFailure> parse_auth(const Payloads& payloads, PayloadType own_id) {
  AuthPayloads parsed;
  parsed.identity = TRY(only(payloads, own_id))->body;
  (void)TRY(parse_identity(parsed.identity));
  if (own_id == PayloadType::kIdInitiator) {
    if (const Payload* const wanted = TRY(at_most_one(payloads, PayloadType::kIdResponder)))
      parsed.wanted_identity = TRY(parse_identity(wanted->body));
  }
  if (const Payload* const auth = TRY(at_most_one(payloads, PayloadType::kAuthentication)))
    parsed.authentication = TRY(parse_authentication(auth->body));
  for (const Payload& payload : payloads) {
    if (payload.type != PayloadType::kCertificate) continue;
    const CertificatePayload certificate = TRY(parse_certificate(payload.body));
    if (certificate.encoding == CertificateEncoding::kX509Signature)
      parsed.certificates.push_back(octets_of(certificate.data));  // others: nothing is fetched (rule S14)
  }
  const Payload* const sa = TRY(at_most_one(payloads, PayloadType::kSa));
  parsed.child = sa != nullptr;
  if (!parsed.child) return parsed;  // RFC 6023, or the responder refused the CHILD SA
  parsed.proposals = TRY(parse_proposals(sa->body));
  const Payload* const initiator = TRY(only(payloads, PayloadType::kSelectorsInitiator));
  const Payload* const responder = TRY(only(payloads, PayloadType::kSelectorsResponder));
  parsed.initiator = TRY(parse_selectors(initiator->body));
  parsed.responder = TRY(parse_selectors(responder->body));
  return parsed;
}

IdentityValue value_of(const Identity& identity) {
  return {identity.type, {identity.data.begin(), identity.data.end()}};
}

// Body of an ID payload.
Octets body_of(const IdentityValue& identity) {
  Octets body{static_cast<std::uint8_t>(identity.type), 0, 0, 0};
  body.insert(body.end(), identity.data.begin(), identity.data.end());
  return body;
}

// RFC 7427 4: one whose hash the peer has named, or none.
std::optional<crypto::SignatureScheme> scheme_for(const Peer& peer, const Handshake& handshake) {
  const auto& schemes = peer.params.certificate->schemes;
  const auto understood = std::ranges::find_if(schemes, [&](crypto::SignatureScheme scheme) {
    const auto& hashes = handshake.peer_hashes;
    return std::ranges::find(hashes, static_cast<std::uint16_t>(crypto::hash_of(scheme))) != hashes.end();
  });
  return understood == schemes.end() ? std::nullopt : std::optional(*understood);
}

constexpr std::string_view kNoScheme =
    "the peer names no hash algorithm that our signature can have (RFC 7427): its digital signature authentication is "
    "to be switched on, with SHA-256 or longer";

AuthMethod own_method(const Peer& peer) {
  return peer.params.certificate ? AuthMethod::kDigitalSignature : AuthMethod::kSharedKey;
}

// For the record, with the setting that a router's person has to look for.
std::string method_words(AuthMethod method) {
  const std::string number = "method " + std::to_string(static_cast<int>(method));
  switch (method) {
    case AuthMethod::kRsa:
      return number + " (RSA as in RFC 7296 2.15, without a choice of hash)";
    case AuthMethod::kSharedKey:
      return number + " (a preshared key)";
    case AuthMethod::kEcdsa256:
    case AuthMethod::kEcdsa384:
    case AuthMethod::kEcdsa521:
      return number + " (ECDSA as in RFC 4754)";
    case AuthMethod::kNull:
    case AuthMethod::kDigitalSignature:
      break;
  }
  return number;
}

// What the facility's configuration asks of the peer's AUTH payload; empty: it is so.
std::string method_fault(const Peer& peer, const std::optional<Authentication>& authentication) {
  if (!authentication) return "the peer wants EAP, which is not offered here";
  const AuthMethod wanted = peer.params.certificate ? AuthMethod::kDigitalSignature : AuthMethod::kSharedKey;
  if (authentication->method == wanted) return {};
  return peer.params.certificate
             ? "the peer authenticates with " + method_words(authentication->method) +
                   ", we expect a digital signature (method 14, RFC 7427): its setting for that is to be switched on"
             : std::string("the peer authenticates without its preshared key");
}

std::string words_of(const IdentityValue& identity) {
  return to_string(identity.view());
}

}  // namespace

Octets authentication_data(const IkeSa& sa, const Peer& peer, const wire::KeyReply& reply) {
  if (!peer.params.certificate)
    return octets_of(wire::ConstBytes(reply.output.expose()).first(crypto::prf_size(sa.suite.prf)));
  const auto algorithm = crypto::algorithm_identifier(scheme_for(peer, *sa.handshake).value());  // RFC 7427 3
  Octets data{static_cast<std::uint8_t>(algorithm.size())};
  data.insert(data.end(), algorithm.begin(), algorithm.end());
  data.insert(data.end(), reply.octets.begin(), reply.octets.end());
  return data;
}

bool within(const Profile& profile, const IkeChoice& choice) {
  const auto holds = [](const auto& list, const auto& value) { return std::ranges::find(list, value) != list.end(); };
  return holds(profile.ike, choice.cipher) && holds(profile.prfs, choice.prf) && holds(profile.groups, choice.group);
}

// RFC 7296 2.15: what each end signs is its own first message, the other's nonce and its own identity. The peer's
// signature needs no keyd.
void Endpoint::State::ask_authentication(IkeSa& sa, Asked whose, Turn turn) {
  const Handshake& handshake = *sa.handshake;
  const bool own = whose != Asked::kPeerAuthentication;
  const Peer& peer = *peer_of(sa);
  if (peer.params.certificate && !own) return judge_certificate(sa, turn);
  wire::KeyRequest request;
  request.operation = wire::KeyRequest::Operation::kIkePskAuth;
  request.key = peer.params.preshared_key;
  request.prf = static_cast<std::uint16_t>(sa.suite.prf);
  if (peer.params.certificate) {
    const auto scheme = scheme_for(peer, handshake);
    if (!scheme && sa.initiator) return abandon_auth(sa, kNoScheme, turn);
    if (!scheme) return refuse_auth(sa, NotifyType::kAuthenticationFailed, kNoScheme, turn);
    request.operation = wire::KeyRequest::Operation::kSign;
    request.key = peer.params.certificate->key;
    request.scheme = static_cast<std::uint16_t>(*scheme);
  }
  const bool with_ppk = handshake.ppk && whose == Asked::kOwnAuthentication;  // only the initiator still has both
  request.octets =
      own ? signed_octets(sa.suite.prf, handshake.our_first, handshake.peer_nonce,
                          with_ppk ? handshake.ppk->pi : sa.own_sk_p(), body_of(peer.params.local_id))
          : signed_octets(sa.suite.prf, handshake.peer_first, handshake.our_nonce, sa.peer_sk_p(), handshake.identity);
  ask_keyd(sa, whose, std::move(request), turn);
}

void Endpoint::State::judge_authentication(IkeSa& sa, const wire::KeyReply& reply, Turn turn) {
  const std::size_t size = crypto::prf_size(sa.suite.prf);
  const auto wanted = reply.good ? wire::ConstBytes(reply.output.expose()).first(size) : wire::ConstBytes();
  const std::string_view why = !reply.good          ? "our preshared key cannot be used"
                               : sa.ppk_key.empty() ? "the preshared key is not the same at both ends"
                                                    : "the preshared key or the PPK is not the same at both ends";
  authenticated(sa, verify_psk(sa.handshake->authentication, wanted), why, turn);
}

// `why`: when there is no proof.
void Endpoint::State::authenticated(IkeSa& sa, const std::optional<Authenticated>& proof, std::string_view why,
                                    Turn turn) {
  if (sa.initiator) return proof ? finish_auth(sa, *proof, turn) : abandon_auth(sa, why, turn);
  if (!proof) return refuse_auth(sa, NotifyType::kAuthenticationFailed, why, turn);
  if (sa.handshake->unexpected_nat) {  // RFC 4555 3.9; to nobody else: it would say that the facility exists
    tell_failure(*peer_of(sa), sa.path, "the peer allows no NAT, and there is one", turn);
    return refuse_auth(sa, NotifyType::kUnexpectedNatDetected, {}, turn);
  }
  sa.authenticated = proof;
  agree_first_child(sa, *peer_of(sa), turn);
  ask_authentication(sa, Asked::kOwnAuthentication, turn);
}

// As initiator, keyd having answered.
void Endpoint::State::send_auth(IkeSa& sa, wire::ConstBytes authentication, wire::ConstBytes without_ppk, Turn turn) {
  Handshake& handshake = *sa.handshake;
  const Peer& peer = *peer_of(sa);
  handshake.offered_spi = new_child_spi();
  child_spis[handshake.offered_spi] = sa.local();
  handshake.offered = offer_esp(peer.params.profile, sa.suite.group, handshake.offered_spi, true);
  Draft draft;
  Chain& chain = draft.chain();
  append(chain, PayloadType::kIdInitiator, peer.params.local_id.view());
  // RFC 7296 1.2: IDr is optional. Of a DN we know the text alone, and some routers compare the octets of their own
  // certificate; what the peer answers is compared in any case.
  if (peer.params.remote_id.type != IdType::kDn) append(chain, PayloadType::kIdResponder, peer.params.remote_id.view());
  if (peer.params.certificate) {
    append_certificates(chain, *peer.params.certificate);
    append_certificate_request(chain);
  }
  append(chain, Authentication{own_method(peer), authentication});
  if (handshake.ppk) append_ppk(chain, *peer.params.ppk, without_ppk);
  // RFC 7296 2.4: this is the only SA with this identity.
  if (only_sa(peer)) append(chain, NotifyType::kInitialContact);
  offer_mobike(chain, sa);
  append(chain, NotifyType::kEspTfcPaddingNotSupported);
  append(chain, handshake.offered);
  append(chain, PayloadType::kSelectorsInitiator, peer.local);
  append(chain, PayloadType::kSelectorsResponder, peer.remote);
  sa.phase = IkeSa::Phase::kAuthSent;
  request(sa, Exchange::kAuth, Exchanging::Kind::kAuth, draft, turn);
}

void Endpoint::State::receive_auth_request(IkeSa& sa, const Incoming& message, Turn turn) {
  const auto parsed = parse_auth(message.payloads, PayloadType::kIdInitiator);
  if (!parsed) {
    tell_stranger(message.path, describe(parsed.error().error).words, turn);
    return refuse_auth(sa, answer_to(parsed.error().error).value_or(NotifyType::kInvalidSyntax), {}, turn);
  }
  const IdentityValue claimed = value_of(*parse_identity(parsed->identity));
  Peer* const peer = peer_named(claimed);
  if (peer == nullptr || !peer->source_allowed(message.path.remote.address)) {
    tell_stranger(message.path,
                  "the peer calls itself " + words_of(claimed) + ": no facility of this name may come from here", turn);
    return refuse_auth(sa, NotifyType::kAuthenticationFailed, {}, turn);
  }
  belongs_to(sa, *peer);
  const Notify* const no_nat = message.notify(NotifyType::kNoNatsAllowed);
  sa.handshake->unexpected_nat = no_nat != nullptr && !says_no_nat(*no_nat, message);
  const auto refused = [&](std::string_view why) { refuse_auth(sa, NotifyType::kAuthenticationFailed, why, turn); };
  if (parsed->wanted_identity && value_of(*parsed->wanted_identity) != peer->params.local_id)
    return refused("the peer wants to talk to " + to_string(*parsed->wanted_identity) + ", we are " +
                   words_of(peer->params.local_id));
  if (const std::string fault = method_fault(*peer, parsed->authentication); !fault.empty()) return refused(fault);
  if (!peer->params.certificate && !peer->params.profile.preshared_key)
    return refused("preshared keys are not within the facility's profile");
  if (!within(peer->params.profile, sa.suite))
    return refused("agreed on " + to_string(sa.suite) + ", which the facility's profile does not allow");
  Handshake& handshake = *sa.handshake;
  handshake.identity = octets_of(parsed->identity);
  handshake.method = parsed->authentication->method;
  handshake.authentication = octets_of(parsed->authentication->data);
  handshake.certificates = parsed->certificates;
  handshake.initial_contact = message.notify(NotifyType::kInitialContact) != nullptr;
  sa.mobike = message.notify(NotifyType::kMobikeSupported) != nullptr;
  handshake.wants_child = parsed->child;
  handshake.proposals = parsed->proposals;
  handshake.peer_selectors = parsed->initiator;
  handshake.our_selectors = parsed->responder;
  const auto with_ppk = judge_ppk(sa, message, turn);
  if (!with_ppk) return refused(with_ppk.error());
  if (*with_ppk) return ask_ppk(sa, turn);
  ask_authentication(sa, Asked::kPeerAuthentication, turn);
}

// RFC 7296 2.9, 2.7: the IKE SA stands also when its first CHILD SA does not.
void Endpoint::State::agree_first_child(IkeSa& sa, Peer& peer, Turn turn) {
  Handshake& handshake = *sa.handshake;
  if (!handshake.wants_child) return;
  if (!peer.work.take(1, turn.now)) {
    handshake.child_error = NotifyType::kTemporaryFailure;
    return;
  }
  const auto choice = choose_esp(handshake.proposals, peer.params.profile, std::nullopt, true);
  if (!choice) {
    handshake.child_error = NotifyType::kNoProposalChosen;
    return tell_failure(peer, sa.path, explain(choice.error()), turn);
  }
  const auto narrowed = narrow_for(peer, handshake.peer_selectors, handshake.our_selectors, sa.path, turn);
  if (!narrowed) {
    handshake.child_error = NotifyType::kTsUnacceptable;
    return;
  }
  if (!room_for(peer, *narrowed)) {
    handshake.child_error = NotifyType::kNoAdditionalSas;
    return;
  }
  handshake.child = ChildPlan{*choice, new_child_spi(), narrowed->peer, narrowed->ours};
  child_spis[handshake.child->in_spi] = sa.local();
}

// As responder: the peer is authenticated, keyd has computed our own AUTH.
void Endpoint::State::answer_auth(IkeSa& sa, const wire::KeyReply& reply, Turn turn) {
  if (!reply.good) return refuse_auth(sa, NotifyType::kAuthenticationFailed, "our own key cannot be used", turn);
  Handshake& handshake = *sa.handshake;
  Peer& peer = *peer_of(sa);
  Draft draft;
  Chain& chain = draft.chain();
  append(chain, PayloadType::kIdResponder, peer.params.local_id.view());
  if (peer.params.certificate) append_certificates(chain, *peer.params.certificate);
  append(chain, Authentication{own_method(peer), authentication_data(sa, peer, reply)});
  if (!sa.ppk_key.empty()) append(chain, NotifyType::kPpkIdentity);  // RFC 8784 3: it was used
  if (sa.mobike) offer_mobike(chain, sa);
  if (handshake.child) {
    append(chain, NotifyType::kEspTfcPaddingNotSupported);
    append(chain, std::array{answer(handshake.child->suite, handshake.child->in_spi)});
    append(chain, PayloadType::kSelectorsInitiator, handshake.child->peer);
    append(chain, PayloadType::kSelectorsResponder, handshake.child->ours);
  } else if (handshake.wants_child) {
    append(chain, handshake.child_error);
  }
  respond(sa, Exchange::kAuth, draft, turn);
  const Nonces nonces{handshake.peer_nonce, handshake.our_nonce};
  const auto plan = std::move(handshake.child);
  std::optional<ChildKeys> keys;
  if (plan) keys = derive_child_keys(sa.suite.prf, plan->suite.cipher, sa.keys.d, {}, nonces);
  if (sa.mobike && sa.nat.supported) float_port(sa);  // RFC 4555 3.3
  establish(sa, peer, *sa.authenticated, turn);
  if (plan) add_child(sa, *plan, *keys, false, turn);
}

// RFC 7296 2.21.2: told inside SK, and the SA is gone; its answer is kept a while for retransmissions.
void Endpoint::State::refuse_auth(IkeSa& sa, NotifyType type, std::string_view why, Turn turn) {
  respond_error(sa, Exchange::kAuth, type, {}, turn);
  if (Peer* const peer = peer_of(sa); peer != nullptr && !why.empty()) tell_failure(*peer, sa.path, why, turn);
  turn.out.drops.add(wire::Drop::kForged);
  retire(sa, turn);
}

void Endpoint::State::receive_auth_response(IkeSa& sa, const Incoming& message, Turn turn) {
  sa.requests.answered();
  sa.exchanging = {};
  const Notify* const error = message.error();
  const bool has_auth = message.payloads.find(PayloadType::kAuthentication) != nullptr;
  if (error != nullptr && !has_auth)
    return abandon_auth(sa, "the peer answers IKE_AUTH with " + std::string(name(error->type)), turn);
  const auto parsed = parse_auth(message.payloads, PayloadType::kIdResponder);
  if (!parsed) return abandon_auth(sa, describe(parsed.error().error).words, turn);
  const Peer& peer = *peer_of(sa);
  const IdentityValue claimed = value_of(*parse_identity(parsed->identity));
  if (claimed != peer.params.remote_id)
    return abandon_auth(
        sa, "the peer calls itself " + words_of(claimed) + ", we expect " + words_of(peer.params.remote_id), turn);
  if (const std::string fault = method_fault(peer, parsed->authentication); !fault.empty())
    return abandon_auth(sa, fault, turn);
  Handshake& handshake = *sa.handshake;
  handshake.identity = octets_of(parsed->identity);
  handshake.method = parsed->authentication->method;
  handshake.authentication = octets_of(parsed->authentication->data);
  handshake.certificates = parsed->certificates;
  sa.mobike = message.notify(NotifyType::kMobikeSupported) != nullptr;
  handshake.wants_child = parsed->child;
  handshake.proposals = parsed->proposals;
  handshake.our_selectors = parsed->initiator;
  handshake.peer_selectors = parsed->responder;
  if (handshake.ppk && message.notify(NotifyType::kPpkIdentity) != nullptr) use_ppk(sa);
  if (peer.params.ppk && peer.params.ppk->required && sa.ppk_key.empty())
    return abandon_auth(sa, "the peer does not use the PPK", turn);
  if (error != nullptr) handshake.child_refused = error->type;
  ask_authentication(sa, Asked::kPeerAuthentication, turn);
}

void Endpoint::State::finish_auth(IkeSa& sa, const Authenticated& authenticated, Turn turn) {
  Peer& peer = *peer_of(sa);
  const auto handshake = std::move(sa.handshake);
  sa.moves = true;
  if (sa.mobike && sa.nat.supported) float_port(sa);  // RFC 4555 3.3: also without a NAT
  establish(sa, peer, authenticated, turn);
  accept_first_child(sa, peer, *handshake, turn);
}

// RFC 7296 2.9: the answer may only be less than what we proposed.
void Endpoint::State::accept_first_child(IkeSa& sa, Peer& peer, const Handshake& handshake, Turn turn) {
  const auto refused = [&](const std::string& why) {
    child_spis.erase(handshake.offered_spi);
    if (peer.params.start) sa.child_wanted = turn.now + peer.params.lifetimes.retry;
    tell_failure(peer, sa.path, why, turn);
  };
  if (!handshake.wants_child) {
    const auto how = handshake.child_refused;
    if (how && asks_for_less(*how) && begin_pairs(sa, turn)) return void(child_spis.erase(handshake.offered_spi));
    return refused("the peer refuses the CHILD SA: it answers with " + std::string(how ? name(*how) : "nothing"));
  }
  const auto choice = accept_esp(handshake.proposals, handshake.offered, std::nullopt);
  const bool narrowed =
      is_within(handshake.our_selectors, peer.local) && is_within(handshake.peer_selectors, peer.remote);
  if (!choice || !narrowed) {
    sa.close_wanted = true;  // the peer believes in a CHILD SA that we do not have
    return refused("the peer's CHILD SA is not what we proposed");
  }
  const ChildPlan plan{*choice, handshake.offered_spi, handshake.peer_selectors, handshake.our_selectors};
  const Nonces nonces{handshake.our_nonce, handshake.peer_nonce};
  ChildSa* const made =
      add_child(sa, plan, derive_child_keys(sa.suite.prf, choice->cipher, sa.keys.d, {}, nonces), true, turn);
  if (made == nullptr) return;
  for (const Spi spi : peer.sas)
    if (IkeSa& other = *sas.at(spi); other.cannot_rekey) other.close_wanted = true;
  if (!room_for(peer, {})) return too_many_selectors(sa, *made, turn);
  rest_after(sa, *made, turn);
}

// As initiator. RFC 7296 2.21.2: the peer may believe the SA stands, so it is told, once.
void Endpoint::State::abandon_auth(IkeSa& sa, std::string_view why, Turn turn) {
  Peer& peer = *peer_of(sa);
  tell_failure(peer, sa.path, why, turn);
  if (!sa.requests.outstanding() && sa.requests.next_id() > 1) {
    Draft draft;
    append(draft.chain(), NotifyType::kAuthenticationFailed);
    request(sa, Exchange::kInformational, Exchanging::Kind::kDeleteIke, draft, turn);
  }
  bury(sa);
}

}  // namespace tunnel::ike
