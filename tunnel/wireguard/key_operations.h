// What a handshake asks of who holds the long-term keys (WireGuard paper 5.4): keyd, or the one process of sekisho-wg.
#pragma once

#include <span>

#include "tunnel/wire/outputs.h"

namespace tunnel::wireguard {

using Key = std::span<const std::uint8_t, 32>;

// The Diffie-Hellman of our static key with the request's public value. Not good: the result is all zero.
[[nodiscard]] wire::KeyReply static_dh(const wire::KeyRequest& request, Key own);
// KDF_3 of the request's chaining key and the preshared key.
[[nodiscard]] wire::KeyReply mix_preshared(const wire::KeyRequest& request, Key preshared);

}  // namespace tunnel::wireguard
