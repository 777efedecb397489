// The second message (WireGuard 5.4.3), cut where keyd answers: the preshared key at the responder, the long-term
// Diffie-Hellman and the preshared key at the initiator.
#pragma once

#include "tunnel/wireguard/handshake_initiation.h"

namespace tunnel::wireguard {

// Draws the responder's ephemeral key and mixes the two Diffie-Hellmans. Nothing when a result is all zero.
[[nodiscard]] std::optional<Key32> mix_responder_ephemeral(ResponderState& state, crypto::Rng& rng);
// After the preshared key was mixed into state.noise.
[[nodiscard]] Response create_response(ResponderState& state, const Key32& ephemeral, std::uint32_t local_index,
                                       crypto::Aead& aead);

// The initiator's side, on a duplicate of its state. First its own ephemeral key; false when the result is all zero.
[[nodiscard]] bool mix_initiator_ephemeral(Noise& noise, std::span<const std::uint8_t, 32> own_ephemeral,
                                           const Key32& responder_ephemeral);
// After DH(own private key, responder's ephemeral) and the preshared key were mixed: true proves the responder.
[[nodiscard]] bool open_response(Noise& noise, const Response& message, crypto::Aead& aead);

}  // namespace tunnel::wireguard
