// X25519 by libsodium, whose scalarmult itself reports the all-zero result.
#include "tunnel/crypto/x25519.h"

#include "tunnel/wire/require.h"

namespace tunnel::crypto {

X25519Pair x25519_generate(Rng& rng) {
  X25519Pair pair;
  rng.fill(pair.secret.fill());
  pair.open = x25519_public(pair.secret.expose());
  return pair;
}

X25519Public x25519_public(std::span<const std::uint8_t, 32> secret) {
  X25519Public open;
  wire::require(crypto_scalarmult_curve25519_base(open.data(), secret.data()) == 0);
  return open;
}

// RFC 7748 6.1: the all-zero value is refused.
std::optional<Secret<32>> x25519(std::span<const std::uint8_t, 32> secret, std::span<const std::uint8_t, 32> other) {
  Secret<32> shared;
  if (crypto_scalarmult_curve25519(shared.fill().data(), secret.data(), other.data()) != 0) return std::nullopt;
  return shared;
}

}  // namespace tunnel::crypto
