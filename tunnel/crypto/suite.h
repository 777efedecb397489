// The algorithms IKEv2 and ESP may negotiate, under their IANA numbers (registry "IKEv2 Parameters"). What is not named
// here cannot be expressed; which of these a facility may use is tunnel/ike/profile.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tunnel::crypto {

enum class Encryption : std::uint16_t {
  kAesCbc = 12,            // RFC 3602
  kAesGcm16 = 20,          // RFC 4106, RFC 5282
  kChaCha20Poly1305 = 28,  // RFC 7634
};

enum class Integrity : std::uint16_t {
  kNone = 0,             // with a combined-mode cipher
  kHmacSha256_128 = 12,  // RFC 4868
  kHmacSha384_192 = 13,
  kHmacSha512_256 = 14,
};

enum class Prf : std::uint16_t { kHmacSha256 = 5, kHmacSha384 = 6, kHmacSha512 = 7 };  // RFC 4868

enum class Group : std::uint16_t {
  kNone = 0,
  kModp2048 = 14,  // RFC 3526
  kModp3072 = 15,
  kModp4096 = 16,
  kEcp256 = 19,  // RFC 5903
  kEcp384 = 20,
  kEcp521 = 21,
  kCurve25519 = 31,  // RFC 8031
};

// One direction's protection of packets. `key_bits`: of the encryption key alone (256 for ChaCha20).
struct CipherSuite {
  Encryption encryption = Encryption::kAesGcm16;
  std::uint16_t key_bits = 256;
  Integrity integrity = Integrity::kNone;
  friend constexpr bool operator==(const CipherSuite&, const CipherSuite&) = default;
};

// The combination is one this library has: key length of the cipher, integrity exactly where the cipher needs one.
[[nodiscard]] bool is_supported(const CipherSuite& suite);

// Octets of each part as taken from KEYMAT or SK_e/SK_a, in this order: encryption key, salt (RFC 4106 8.1: part of the
// encryption key's material), integrity key.
struct KeySizes {
  std::size_t encryption = 0, salt = 0, integrity = 0;
  [[nodiscard]] std::size_t total() const { return encryption + salt + integrity; }
};
[[nodiscard]] KeySizes key_sizes(const CipherSuite& suite);
[[nodiscard]] std::size_t explicit_iv_size(const CipherSuite& suite);  // on the wire: 8, or 16 for CBC
[[nodiscard]] std::size_t tag_size(const CipherSuite& suite);          // ICV on the wire
[[nodiscard]] std::size_t block_size(const CipherSuite& suite);        // text is padded to a multiple: 1 or 16

}  // namespace tunnel::crypto
