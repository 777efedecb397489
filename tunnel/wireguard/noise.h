// The symmetric state of Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (WireGuard 5.4): chaining key, hash, and the key of the
// moment.
#pragma once

#include "tunnel/crypto/aead.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/wireguard/messages.h"

namespace tunnel::wireguard {

struct SessionKeys {
  crypto::Secret<32> first, second;  // the initiator sends with the first
};

class Noise {
 public:
  // Both sides begin from the responder's long-term public key.
  [[nodiscard]] static Noise begin(const Key32& responder);
  // A copy on purpose: a step that waits for a key reply must not spoil the state another answer may still need.
  [[nodiscard]] Noise duplicate() const;

  void mix_hash(wire::ConstBytes octets);
  void mix_ephemeral(const Key32& open);                          // C = KDF1(C, E); H = HASH(H || E)
  void mix_dh(std::span<const std::uint8_t, 32> shared);          // C = KDF1(C, dh)
  void mix_dh_and_key(std::span<const std::uint8_t, 32> shared);  // (C, k) = KDF2(C, dh)
  // (C, tau, k) = KDF3(C, psk), computed here or at keyd; H = HASH(H || tau).
  void mix_psk(std::span<const std::uint8_t, 32> psk);
  void mix_psk_output(std::span<const std::uint8_t, 96> output);

  // AEAD under the key of the moment with counter 0 and H as additional data; then H = HASH(H || sealed).
  void seal(crypto::Aead& aead, wire::ConstBytes plain, wire::Bytes sealed);
  // `plain` is sealed.size() - 16 octets. False: forged; the state is then of no further use.
  [[nodiscard]] bool open(crypto::Aead& aead, wire::ConstBytes sealed, wire::Bytes plain);

  [[nodiscard]] std::span<const std::uint8_t, 32> chaining_key() const { return chaining_key_.expose(); }
  [[nodiscard]] SessionKeys split() const;

 private:
  Noise() = default;
  crypto::Secret<32> chaining_key_;
  crypto::Secret<32> key_;
  crypto::Hash hash_{};
};

}  // namespace tunnel::wireguard
