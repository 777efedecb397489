// The first message (WireGuard 5.4.2), cut where a Diffie-Hellman with the long-term key is answered by keyd.
#pragma once

#include <optional>

#include "tunnel/crypto/x25519.h"
#include "tunnel/wireguard/noise.h"

namespace tunnel::wireguard {

// The initiator's state while it waits for a response.
struct InitiatorState {
  Noise noise;
  crypto::Secret<32> ephemeral;
  std::uint32_t local_index = 0;
  bool answered = false;  // a response to it was taken up
};

struct InitiationKeys {
  Key32 own{};    // our long-term public key
  Key32 other{};  // the responder's
};

struct CreatedInitiation {
  InitiatorState state;
  Initiation message;
};

// `static_shared` = DH(own private key, other). Nothing when `other` is a low-order point.
[[nodiscard]] std::optional<CreatedInitiation> create_initiation(const InitiationKeys& keys,
                                                                 std::span<const std::uint8_t, 32> static_shared,
                                                                 const Timestamp& timestamp, std::uint32_t local_index,
                                                                 crypto::Aead& aead, crypto::Rng& rng);

// The responder's state from the first octet to its response.
struct ResponderState {
  Noise noise;
  Key32 ephemeral{};  // the initiator's
  Key32 other{};      // the initiator's long-term public key, once opened
  std::uint32_t remote_index = 0;
};

[[nodiscard]] ResponderState begin_response(const Key32& own, const Initiation& message);
// `shared` = DH(own private key, the initiator's ephemeral): opens who is calling. False: forged.
[[nodiscard]] bool open_static(ResponderState& state, const Initiation& message,
                               std::span<const std::uint8_t, 32> shared, crypto::Aead& aead);
// `shared` = DH(own private key, state.other): proves it. Nothing: forged.
[[nodiscard]] std::optional<Timestamp> open_timestamp(ResponderState& state, const Initiation& message,
                                                      std::span<const std::uint8_t, 32> shared, crypto::Aead& aead);

}  // namespace tunnel::wireguard
