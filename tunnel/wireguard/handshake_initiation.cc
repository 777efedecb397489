// WireGuard 5.4.2, both ends.
#include "tunnel/wireguard/handshake_initiation.h"

namespace tunnel::wireguard {

std::optional<CreatedInitiation> create_initiation(const InitiationKeys& keys,
                                                   std::span<const std::uint8_t, 32> static_shared,
                                                   const Timestamp& timestamp, std::uint32_t local_index,
                                                   crypto::Aead& aead, crypto::Rng& rng) {
  Noise noise = Noise::begin(keys.other);
  crypto::X25519Pair ephemeral = crypto::x25519_generate(rng);
  const auto shared = crypto::x25519(ephemeral.secret.expose(), keys.other);
  if (!shared) return std::nullopt;
  Initiation message;
  message.sender = local_index;
  message.ephemeral = ephemeral.open;
  noise.mix_ephemeral(ephemeral.open);
  noise.mix_dh_and_key(shared->expose());
  noise.seal(aead, keys.own, message.sealed_static);
  noise.mix_dh_and_key(static_shared);
  noise.seal(aead, timestamp, message.sealed_timestamp);
  return CreatedInitiation{{std::move(noise), std::move(ephemeral.secret), local_index}, message};
}

ResponderState begin_response(const Key32& own, const Initiation& message) {
  ResponderState state{Noise::begin(own), message.ephemeral, {}, message.sender};
  state.noise.mix_ephemeral(message.ephemeral);
  return state;
}

bool open_static(ResponderState& state, const Initiation& message, std::span<const std::uint8_t, 32> shared,
                 crypto::Aead& aead) {
  state.noise.mix_dh_and_key(shared);
  return state.noise.open(aead, message.sealed_static, state.other);
}

std::optional<Timestamp> open_timestamp(ResponderState& state, const Initiation& message,
                                        std::span<const std::uint8_t, 32> shared, crypto::Aead& aead) {
  Timestamp timestamp{};
  state.noise.mix_dh_and_key(shared);
  if (!state.noise.open(aead, message.sealed_timestamp, timestamp)) return std::nullopt;
  return timestamp;
}

}  // namespace tunnel::wireguard
