// X25519 (RFC 7748 5) by libsodium. Results of low-order points are refused, never used.
#pragma once

#include <optional>

#include "tunnel/crypto/rng.h"
#include "tunnel/crypto/secret.h"

namespace tunnel::crypto {

using X25519Public = std::array<std::uint8_t, 32>;

struct X25519Pair {
  Secret<32> secret;
  X25519Public open{};
};

[[nodiscard]] X25519Pair x25519_generate(Rng& rng);
[[nodiscard]] X25519Public x25519_public(std::span<const std::uint8_t, 32> secret);
// Nothing when the result would be all zero (RFC 7748 6.1: a low-order point).
[[nodiscard]] std::optional<Secret<32>> x25519(std::span<const std::uint8_t, 32> secret,
                                               std::span<const std::uint8_t, 32> other);

}  // namespace tunnel::crypto
