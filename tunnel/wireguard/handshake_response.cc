// WireGuard 5.4.3, both ends.
#include "tunnel/wireguard/handshake_response.h"

namespace tunnel::wireguard {

std::optional<Key32> mix_responder_ephemeral(ResponderState& state, crypto::Rng& rng) {
  const crypto::X25519Pair ephemeral = crypto::x25519_generate(rng);
  const auto with_ephemeral = crypto::x25519(ephemeral.secret.expose(), state.ephemeral);
  const auto with_static = crypto::x25519(ephemeral.secret.expose(), state.other);
  if (!with_ephemeral || !with_static) return std::nullopt;
  state.noise.mix_ephemeral(ephemeral.open);
  state.noise.mix_dh(with_ephemeral->expose());
  state.noise.mix_dh(with_static->expose());
  return ephemeral.open;
}

Response create_response(ResponderState& state, const Key32& ephemeral, std::uint32_t local_index, crypto::Aead& aead) {
  Response message{local_index, state.remote_index, ephemeral, {}};
  state.noise.seal(aead, {}, message.sealed_nothing);
  return message;
}

bool mix_initiator_ephemeral(Noise& noise, std::span<const std::uint8_t, 32> own_ephemeral,
                             const Key32& responder_ephemeral) {
  noise.mix_ephemeral(responder_ephemeral);
  const auto shared = crypto::x25519(own_ephemeral, responder_ephemeral);
  if (shared) noise.mix_dh(shared->expose());
  return shared.has_value();
}

bool open_response(Noise& noise, const Response& message, crypto::Aead& aead) {
  return noise.open(aead, message.sealed_nothing, {});
}

}  // namespace tunnel::wireguard
