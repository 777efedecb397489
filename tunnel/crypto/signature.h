// Signatures that prove who a peer of IKEv2 is (RFC 7427; RFC 8420 for Ed25519), through OpenSSL. Signing is keyd's;
// verifying is done where the peer's octets are. RSA with SHA-1 and keys under 112 bits of strength cannot be
// expressed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tunnel/crypto/secret_octets.h"

struct evp_pkey_st;

namespace tunnel::crypto {

enum class SignatureScheme : std::uint8_t {
  kEcdsaSha256,
  kEcdsaSha384,
  kEcdsaSha512,
  kRsaPssSha256,  // salt as long as the hash, MGF1 with the same hash
  kRsaPssSha384,
  kRsaPssSha512,
  kRsaPkcs1Sha256,
  kRsaPkcs1Sha384,
  kRsaPkcs1Sha512,
  kEd25519,
};

// IANA "IKEv2 Hash Algorithms": what SIGNATURE_HASH_ALGORITHMS announces (RFC 7427 4, RFC 8420 3).
enum class SignatureHash : std::uint16_t { kSha256 = 2, kSha384 = 3, kSha512 = 4, kIdentity = 5 };
[[nodiscard]] SignatureHash hash_of(SignatureScheme scheme);

// The DER of the AlgorithmIdentifier that stands in front of the signature (RFC 7427 A). Compared octet for octet:
// another encoding of the same is not accepted.
[[nodiscard]] std::span<const std::uint8_t> algorithm_identifier(SignatureScheme scheme);
[[nodiscard]] std::optional<SignatureScheme> scheme_of(std::span<const std::uint8_t> algorithm_identifier);

enum class KeyKind : std::uint8_t { kRsa, kEcdsa, kEd25519 };

// RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521 (named, not by parameters), Ed25519. Nothing else is made.
class PublicKey {
 public:
  using Octets = std::span<const std::uint8_t>;
  // SubjectPublicKeyInfo (RFC 5280 4.1.2.7) and nothing after it.
  [[nodiscard]] static std::optional<PublicKey> parse(Octets info);
  // Shares `key`.
  [[nodiscard]] static std::optional<PublicKey> of(evp_pkey_st* key);

  [[nodiscard]] KeyKind kind() const { return kind_; }
  [[nodiscard]] std::size_t bits() const { return bits_; }  // of the modulus or the curve
  // False also when the scheme is not one of this kind of key.
  [[nodiscard]] bool verify(SignatureScheme scheme, Octets message, Octets signature) const;
  [[nodiscard]] std::vector<std::uint8_t> info() const;  // DER of SubjectPublicKeyInfo
  // 64 bits of a hash of it, never 0: to tell one key from another where nobody gains by two that are alike.
  [[nodiscard]] std::uint64_t mark() const;

 private:
  PublicKey(std::shared_ptr<evp_pkey_st> key, KeyKind kind, std::size_t bits)
      : key_(std::move(key)), kind_(kind), bits_(bits) {}
  std::shared_ptr<evp_pkey_st> key_;
  KeyKind kind_;
  std::size_t bits_;
};

class DistinguishedName;
class SigningKey;
struct AlternativeName;
std::optional<std::string> certificate_request(const SigningKey& key, const DistinguishedName& subject,
                                               std::span<const AlternativeName> names);  // certificate_request.h

// A long-term private key; lives at keyd alone, and in the command line while a certificate is asked for.
class SigningKey {
 public:
  using Octets = std::span<const std::uint8_t>;
  // PEM (PKCS#8 or the older forms), not encrypted. Nothing when PublicKey would not take its public half.
  [[nodiscard]] static std::optional<SigningKey> parse_pem(Octets pem);

  [[nodiscard]] const PublicKey& public_key() const { return public_; }
  // What this key can sign with, the best first: RSA-PSS before PKCS#1, the hash that fits the key first.
  [[nodiscard]] std::vector<SignatureScheme> schemes() const;
  // Nothing when the scheme is not one of this kind of key.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> sign(SignatureScheme scheme, Octets message) const;

 private:
  friend std::optional<std::string> certificate_request(const SigningKey&, const DistinguishedName&,
                                                        std::span<const AlternativeName>);
  SigningKey(std::shared_ptr<evp_pkey_st> key, PublicKey open) : key_(std::move(key)), public_(std::move(open)) {}
  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_;
};

}  // namespace tunnel::crypto
