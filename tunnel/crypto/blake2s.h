// BLAKE2s (RFC 7693) through OpenSSL, and HMAC and the key derivation of the WireGuard paper (5.4) over it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "tunnel/crypto/secret.h"

namespace tunnel::crypto {

using Octets = std::span<const std::uint8_t>;
using Hash = std::array<std::uint8_t, 32>;
using Mac = std::array<std::uint8_t, 16>;

// Hash of the parts one after another.
[[nodiscard]] Hash blake2s(std::initializer_list<Octets> parts);
// Keyed BLAKE2s with 16 octets of output; `key` is 1..32 octets.
[[nodiscard]] Mac blake2s_mac(Octets key, Octets message);
// HMAC (RFC 2104) over BLAKE2s-256; `key` at most 64 octets.
void hmac_blake2s(Octets key, std::initializer_list<Octets> parts, std::span<std::uint8_t, 32> out);

struct DerivedTwo {
  Secret<32> first, second;
};
struct DerivedThree {
  Secret<32> first, second, third;
};
// KDF_n of the paper: HKDF with `chaining_key` as salt and no info.
[[nodiscard]] Secret<32> kdf1(Octets chaining_key, Octets input);
[[nodiscard]] DerivedTwo kdf2(Octets chaining_key, Octets input);
[[nodiscard]] DerivedThree kdf3(Octets chaining_key, Octets input);

}  // namespace tunnel::crypto
