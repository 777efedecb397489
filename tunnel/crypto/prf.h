// prf and prf+ of IKEv2 (RFC 7296 2.13) over HMAC (RFC 4868), through OpenSSL.
#pragma once

#include <initializer_list>
#include <span>

#include "tunnel/crypto/secret_octets.h"
#include "tunnel/crypto/suite.h"

namespace tunnel::crypto {

[[nodiscard]] std::size_t prf_size(Prf prf);  // output and preferred key length, octets

// prf(key, parts one after another).
[[nodiscard]] SecretOctets prf(Prf which, std::span<const std::uint8_t> key,
                               std::initializer_list<std::span<const std::uint8_t>> parts);
// The first `length` octets of prf+; length <= 255 * prf_size.
[[nodiscard]] SecretOctets prf_plus(Prf which, std::span<const std::uint8_t> key,
                                    std::initializer_list<std::span<const std::uint8_t>> seed, std::size_t length);

}  // namespace tunnel::crypto
