// What is signed to prove who we are (RFC 7296 2.15). The long-term secret is at keyd: this file only says which octets
// it is asked about, and compares.
#pragma once

#include <cstdint>
#include <vector>

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

// Constant time over equal lengths.
[[nodiscard]] bool same_authentication(wire::ConstBytes received, wire::ConstBytes wanted);

}  // namespace tunnel::ike
