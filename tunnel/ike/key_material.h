// Keys of an IKE SA and of its CHILD SAs (RFC 7296 2.14, 2.17, 2.18). Pure arithmetic on prf and prf+; who may use
// which key is in ike_sa.h and child_sa.h.
#pragma once

#include <cstdint>

#include "tunnel/crypto/prf.h"
#include "tunnel/crypto/secret_octets.h"
#include "tunnel/crypto/suite.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

struct Nonces {  // of the exchange the keys come from; the initiator of that exchange, not of the IKE SA
  wire::ConstBytes initiator, responder;
};

struct SpiPair {  // of the IKE SA, as in the header
  std::uint64_t initiator = 0, responder = 0;
  friend constexpr bool operator==(const SpiPair&, const SpiPair&) = default;
};

// `initiator` and `responder`: what crypto::PacketCipher::make takes for what that end sends (encryption key, salt,
// integrity key), put together from SK_e and SK_a.
struct IkeKeys {
  crypto::SecretOctets d, initiator, responder, pi, pr;
};

// What each end of the *exchange* that made the CHILD SA sends with.
struct ChildKeys {
  crypto::SecretOctets initiator, responder;
};

// RFC 7296 2.14: SKEYSEED = prf(Ni | Nr, g^ir).
[[nodiscard]] crypto::SecretOctets skeyseed(crypto::Prf prf, const Nonces& nonces, const crypto::SecretOctets& g_ir);
// RFC 7296 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), with the prf of the *old* SA.
[[nodiscard]] crypto::SecretOctets rekeyed_skeyseed(crypto::Prf old_prf, const crypto::SecretOctets& old_sk_d,
                                                    const crypto::SecretOctets& g_ir, const Nonces& nonces);
// RFC 7296 2.14: {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr).
[[nodiscard]] IkeKeys derive_ike_keys(crypto::Prf prf, const crypto::CipherSuite& cipher,
                                      const crypto::SecretOctets& skeyseed, const Nonces& nonces, const SpiPair& spis);
// RFC 8784 3: SK_d, SK_pi, SK_pr, one after another in `secrets`: each becomes prf+(PPK, itself). What keyd does; here
// for it and for tests, never called with a real PPK in the tunnel process.
[[nodiscard]] crypto::SecretOctets mix_ppk(crypto::Prf prf, wire::ConstBytes ppk, wire::ConstBytes secrets);
// RFC 7296 2.17: KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr). An empty `g_ir`: no new Diffie-Hellman.
[[nodiscard]] ChildKeys derive_child_keys(crypto::Prf prf, const crypto::CipherSuite& cipher,
                                          const crypto::SecretOctets& sk_d, const crypto::SecretOctets& g_ir,
                                          const Nonces& nonces);

}  // namespace tunnel::ike
