// What is signed to prove who we are (RFC 7296 2.15). The long-term secret is at keyd: this file only says which octets
// it is asked about, and compares.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tunnel/crypto/certificate.h"
#include "tunnel/crypto/prf.h"
#include "tunnel/crypto/secret_octets.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

// RFC 7296 2.15: RealMessage | NonceOfTheOther | prf(SK_p, IDx'). `message`: the whole first message the signer sent;
// `nonce`: the other end's; `identity`: the body of the signer's ID payload (type, three reserved octets, data).
[[nodiscard]] std::vector<std::uint8_t> signed_octets(crypto::Prf prf, wire::ConstBytes message, wire::ConstBytes nonce,
                                                      const crypto::SecretOctets& sk_p, wire::ConstBytes identity);

// RFC 7296 2.15: prf(prf(shared secret, "Key Pad for IKEv2"), signed octets). What keyd computes; here for it and for
// tests, never called with a real secret in the tunnel process.
[[nodiscard]] crypto::SecretOctets psk_authentication(crypto::Prf prf, wire::ConstBytes shared_secret,
                                                      wire::ConstBytes signed_octets);

// The proof that the peer knows its secret: made by the two functions below alone, asked for by whatever makes an SA
// usable.
class Authenticated {
 private:
  Authenticated() = default;
  friend std::optional<Authenticated> verify_psk(wire::ConstBytes received, wire::ConstBytes wanted);
  friend std::optional<Authenticated> verify_signature(const crypto::VerifiedCertificate& certificate,
                                                       wire::ConstBytes authentication, wire::ConstBytes signed_octets);
};
// Constant time over equal lengths. `wanted`: what keyd computed; empty never fits.
[[nodiscard]] std::optional<Authenticated> verify_psk(wire::ConstBytes received, wire::ConstBytes wanted);

// RFC 7427 3: `authentication` is the data of an AUTH payload with method 14; the key is the certificate's.
[[nodiscard]] std::optional<Authenticated> verify_signature(const crypto::VerifiedCertificate& certificate,
                                                            wire::ConstBytes authentication,
                                                            wire::ConstBytes signed_octets);

}  // namespace tunnel::ike
