// Sizes of RFC 3602, RFC 4106, RFC 4868 and RFC 7634 as data.
#include "tunnel/crypto/suite.h"

namespace tunnel::crypto {
namespace {

constexpr std::size_t kSaltSize = 4;

std::size_t integrity_key_size(Integrity integrity) {  // RFC 4868 2.1.1: exactly the output of the hash
  switch (integrity) {
    case Integrity::kHmacSha256_128:
      return 32;
    case Integrity::kHmacSha384_192:
      return 48;
    case Integrity::kHmacSha512_256:
      return 64;
    case Integrity::kNone:
      return 0;
  }
  return 0;
}

bool is_combined(Encryption encryption) {
  return encryption != Encryption::kAesCbc;
}

}  // namespace

bool is_supported(const CipherSuite& suite) {
  switch (suite.encryption) {
    case Encryption::kAesGcm16:
      return (suite.key_bits == 128 || suite.key_bits == 256) && suite.integrity == Integrity::kNone;
    case Encryption::kChaCha20Poly1305:
      return suite.key_bits == 256 && suite.integrity == Integrity::kNone;
    case Encryption::kAesCbc:
      return (suite.key_bits == 128 || suite.key_bits == 256) && integrity_key_size(suite.integrity) != 0;
  }
  return false;
}

KeySizes key_sizes(const CipherSuite& suite) {
  const std::size_t salt = is_combined(suite.encryption) ? kSaltSize : 0;
  return {suite.key_bits / 8u, salt, integrity_key_size(suite.integrity)};
}

std::size_t explicit_iv_size(const CipherSuite& suite) {
  return is_combined(suite.encryption) ? 8 : 16;
}

std::size_t tag_size(const CipherSuite& suite) {  // RFC 4868 2.3: half of the hash's output
  return is_combined(suite.encryption) ? 16 : integrity_key_size(suite.integrity) / 2;
}

std::size_t block_size(const CipherSuite& suite) {
  return is_combined(suite.encryption) ? 1 : 16;
}

}  // namespace tunnel::crypto
