// Signature authentication with certificates (RFC 7427, RFC 7296 2.15, 3.6, 3.7). The chain is judged by OpenSSL alone
// (tunnel/crypto/certificate); the peer is who its configuration says, or nobody.
#include <algorithm>
#include <ranges>

#include "tunnel/ike/claimed_identity.h"
#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

SignatureKey kind_of(const crypto::PublicKey& key) {
  switch (key.kind()) {
    case crypto::KeyKind::kRsa:
      return SignatureKey::kRsa;
    case crypto::KeyKind::kEcdsa:
      return SignatureKey::kEcdsa;
    case crypto::KeyKind::kEd25519:
      return SignatureKey::kEd25519;
  }
  return SignatureKey::kRsa;
}

std::string words(const crypto::CertificateRefusal& refusal) {
  return "the peer's certificate is refused: " + refusal.subject + ": " + refusal.detail;
}

}  // namespace

void Endpoint::State::append_certificates(Chain& chain, const CertificateAuthentication& own) const {
  std::size_t octets = 0;
  for (const auto& der : own.chain) {  // the end entity first; the configuration refuses a longer chain
    if ((octets += der.size()) > kMostChain) return;
    append(chain, CertificatePayload{CertificateEncoding::kX509Signature, der});
  }
}

// RFC 7296 3.7: a hint which authorities we trust; many routers send a certificate only when asked.
void Endpoint::State::append_certificate_request(Chain& chain) const {
  Octets hashes;
  for (const auto& [hash, users] : authorities | std::views::take(kMostAuthorities))
    hashes.insert(hashes.end(), hash.begin(), hash.end());
  if (!hashes.empty()) append(chain, CertificateRequest{CertificateEncoding::kX509Signature, hashes});
}

void Endpoint::State::count_authorities(const PeerParams& peer, bool added) {
  if (!peer.certificate) return;
  for (const auto& hash : peer.certificate->authorities) {
    if (added) {
      ++authorities[hash];
    } else if (const auto known = authorities.find(hash); known != authorities.end() && --known->second == 0) {
      authorities.erase(known);
    }
  }
}

// The order: chain and identity, then the kind of key; then, for the caller, the signature.
Result<crypto::VerifiedCertificate, std::string> Endpoint::State::judge_chain(const CertificateAuthentication& wanted,
                                                                              const PeerProof& proof,
                                                                              Instant now) const {
  const auto refused = [](std::string why) { return std::unexpected(std::move(why)); };
  std::vector<crypto::Certificate> certificates;
  for (const Octets& der : proof.certificates) {
    auto certificate = crypto::Certificate::parse(der);
    if (!certificate) return refused("a certificate of the peer cannot be read");
    certificates.push_back(std::move(*certificate));
  }
  if (certificates.empty()) return refused("the peer sends no certificate");
  const auto identity = parse_identity(proof.identity);
  const auto claim = identity ? claimed_identity(*identity) : std::nullopt;
  if (!claim || !wanted.trust) return refused("the peer's identity cannot be found in a certificate");
  auto verified = wanted.trust->verify(certificates.front(), std::span(certificates).subspan(1), *claim,
                                       {wall(now), wanted.revocation, wanted.list_grace});
  if (!verified) return refused(words(verified.error()));
  const KeyJudgement judged = judge_key(kind_of(verified->key), verified->key.bits(), wall(now));
  if (!judged.allowed) return refused("the peer's key is not allowed: " + std::string(judged.remark));
  return std::move(*verified);
}

void Endpoint::State::judge_certificate(IkeSa& sa, Turn turn) {
  const Handshake& handshake = *sa.handshake;
  PeerProof proof{handshake.certificates, handshake.identity, {}};
  const auto verified = judge_chain(*peer_of(sa)->params.certificate, proof, turn.now);
  if (!verified) return authenticated(sa, std::nullopt, verified.error(), turn);
  const Octets text =
      signed_octets(sa.suite.prf, handshake.peer_first, handshake.our_nonce, sa.peer_sk_p(), handshake.identity);
  proof.expires = verified->expires;
  sa.proof = std::make_shared<const PeerProof>(std::move(proof));
  authenticated(sa, verify_signature(*verified, handshake.authentication, text),
                "the peer's signature is not that of its certificate", turn);
}

}  // namespace tunnel::ike
