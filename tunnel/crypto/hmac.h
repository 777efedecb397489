// HMAC over SHA-2 (RFC 2104, RFC 4868) with the key taken once; the shared ground of prf and of packet integrity.
// Internal to this folder's .cc files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "tunnel/crypto/openssl_handles.h"

namespace tunnel::crypto {

enum class HmacHash : std::uint8_t { kSha256, kSha384, kSha512 };

class Hmac {
 public:
  Hmac(HmacHash hash, std::span<const std::uint8_t> key);
  // HMAC of the parts one after another; `out` holds the hash's whole output.
  void compute(std::initializer_list<std::span<const std::uint8_t>> parts, std::span<std::uint8_t> out);

 private:
  openssl::MacContext context_;  // OpenSSL wipes the key when it is freed
};

}  // namespace tunnel::crypto
