// RFC 7296 2.15.
#include "tunnel/ike/authentication.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <sodium.h>

#include "tunnel/ike/payload_auth.h"

namespace tunnel::ike {
namespace {

constexpr std::string_view kKeyPad = "Key Pad for IKEv2";  // 17 octets without the terminating zero

}  // namespace

std::vector<std::uint8_t> signed_octets(crypto::Prf prf, wire::ConstBytes message, wire::ConstBytes nonce,
                                        const crypto::SecretOctets& sk_p, wire::ConstBytes identity) {
  const crypto::SecretOctets maced_identity = crypto::prf(prf, sk_p.expose(), {identity});
  std::vector<std::uint8_t> octets;
  octets.reserve(message.size() + nonce.size() + maced_identity.size());
  for (const wire::ConstBytes part : {message, nonce, maced_identity.expose()})
    octets.insert(octets.end(), part.begin(), part.end());
  return octets;
}

crypto::SecretOctets psk_authentication(crypto::Prf prf, wire::ConstBytes shared_secret,
                                        wire::ConstBytes signed_octets) {
  const std::vector<std::uint8_t> pad(kKeyPad.begin(), kKeyPad.end());
  const crypto::SecretOctets key = crypto::prf(prf, shared_secret, {pad});
  return crypto::prf(prf, key.expose(), {signed_octets});
}

std::optional<Authenticated> verify_psk(wire::ConstBytes received, wire::ConstBytes wanted) {
  const bool same = !wanted.empty() && received.size() == wanted.size() &&
                    sodium_memcmp(received.data(), wanted.data(), wanted.size()) == 0;
  return same ? std::optional(Authenticated()) : std::nullopt;
}

std::optional<Authenticated> verify_signature(const crypto::VerifiedCertificate& certificate,
                                              wire::ConstBytes authentication, wire::ConstBytes signed_octets) {
  const auto parsed = parse_digital_signature(authentication);
  const auto scheme = parsed ? crypto::scheme_of(parsed->algorithm) : std::nullopt;
  if (!scheme || !certificate.key.verify(*scheme, signed_octets, parsed->signature)) return std::nullopt;
  return Authenticated();
}

}  // namespace tunnel::ike
