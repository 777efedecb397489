// One table says what each scheme is: its octets on the wire, its key, its hash, its padding.
#include "tunnel/crypto/signature.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/reader.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using namespace std::string_view_literals;
using Octets = std::span<const std::uint8_t>;
using wire::require;

constexpr std::size_t kLeastRsaBits = 2048, kMostRsaBits = 8192;  // beyond: a verification that stalls us
constexpr std::size_t kLargestPem = 64 * 1024;

struct Properties {
  SignatureScheme scheme;
  KeyKind kind;
  SignatureHash hash;
  bool pss;
  std::string_view identifier;  // RFC 7427 A.1-A.4, RFC 8420 A
};

using enum SignatureScheme;
constexpr std::array kSchemes{
    Properties{kEcdsaSha256, KeyKind::kEcdsa, SignatureHash::kSha256, false,
               "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"sv},
    Properties{kEcdsaSha384, KeyKind::kEcdsa, SignatureHash::kSha384, false,
               "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"sv},
    Properties{kEcdsaSha512, KeyKind::kEcdsa, SignatureHash::kSha512, false,
               "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"sv},
    Properties{
        kRsaPssSha256, KeyKind::kRsa, SignatureHash::kSha256, true,
        "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65"
        "\x03\x04\x02\x01\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60"
        "\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa2\x03\x02\x01\x20"sv},
    Properties{
        kRsaPssSha384, KeyKind::kRsa, SignatureHash::kSha384, true,
        "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65"
        "\x03\x04\x02\x02\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60"
        "\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xa2\x03\x02\x01\x30"sv},
    Properties{
        kRsaPssSha512, KeyKind::kRsa, SignatureHash::kSha512, true,
        "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65"
        "\x03\x04\x02\x03\x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60"
        "\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\xa2\x03\x02\x01\x40"sv},
    Properties{kRsaPkcs1Sha256, KeyKind::kRsa, SignatureHash::kSha256, false,
               "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"sv},
    Properties{kRsaPkcs1Sha384, KeyKind::kRsa, SignatureHash::kSha384, false,
               "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"sv},
    Properties{kRsaPkcs1Sha512, KeyKind::kRsa, SignatureHash::kSha512, false,
               "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00"sv},
    Properties{kEd25519, KeyKind::kEd25519, SignatureHash::kIdentity, false, "\x30\x05\x06\x03\x2b\x65\x70"sv},
};

const Properties& properties_of(SignatureScheme scheme) {
  const auto* const found = std::ranges::find(kSchemes, scheme, &Properties::scheme);
  require(found != kSchemes.end());
  return *found;
}

const char* digest_of(SignatureHash hash) {
  switch (hash) {
    case SignatureHash::kSha256:
      return "SHA256";
    case SignatureHash::kSha384:
      return "SHA384";
    case SignatureHash::kSha512:
      return "SHA512";
    case SignatureHash::kIdentity:
      return nullptr;  // RFC 8420 2: PureEdDSA takes the message itself
  }
  return nullptr;
}

bool pad(EVP_PKEY_CTX* context, const Properties& properties) {
  if (properties.kind != KeyKind::kRsa) return true;
  const int padding = properties.pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
  if (EVP_PKEY_CTX_set_rsa_padding(context, padding) != 1) return false;
  return !properties.pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

std::optional<KeyKind> kind_of(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyKind::kEd25519;
  const auto bits = static_cast<std::size_t>(std::max(EVP_PKEY_get_bits(key), 0));
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    return bits >= kLeastRsaBits && bits <= kMostRsaBits ? std::optional(KeyKind::kRsa) : std::nullopt;
  }
  std::array<char, 64> name{};
  std::size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_group_name(key, name.data(), name.size(), &length) != 1) return {};
  for (const auto curve : {"prime256v1"sv, "secp384r1"sv, "secp521r1"sv}) {
    if (std::string_view(name.data(), length) == curve) return KeyKind::kEcdsa;
  }
  return std::nullopt;
}

// An encrypted key is not for us: never ask a terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

}  // namespace

SignatureHash hash_of(SignatureScheme scheme) {
  return properties_of(scheme).hash;
}

Octets algorithm_identifier(SignatureScheme scheme) {
  const std::string_view text = properties_of(scheme).identifier;
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::optional<SignatureScheme> scheme_of(Octets identifier) {
  for (const Properties& properties : kSchemes) {
    if (std::ranges::equal(algorithm_identifier(properties.scheme), identifier)) return properties.scheme;
  }
  return std::nullopt;
}

std::optional<PublicKey> PublicKey::parse(Octets info) {
  const unsigned char* at = info.data();
  const openssl::Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(info.size())));
  ERR_clear_error();
  if (key == nullptr || at != info.data() + info.size()) return std::nullopt;
  return of(key.get());
}

std::optional<PublicKey> PublicKey::of(evp_pkey_st* key) {
  if (key == nullptr) return std::nullopt;
  const auto kind = kind_of(key);
  if (!kind) return std::nullopt;
  require(EVP_PKEY_up_ref(key) == 1);
  return PublicKey({key, EVP_PKEY_free}, *kind, static_cast<std::size_t>(EVP_PKEY_get_bits(key)));
}

// RFC 7427 3; 5: the kind of the key must be the one the identifier names.
bool PublicKey::verify(SignatureScheme scheme, Octets message, Octets signature) const {
  const Properties& properties = properties_of(scheme);
  if (properties.kind != kind_) return false;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  EVP_PKEY_CTX* padding = nullptr;  // owned by `context`
  bool good = EVP_DigestVerifyInit_ex(context.get(), &padding, digest_of(properties.hash), nullptr, nullptr, key_.get(),
                                      nullptr) == 1;
  good = good && pad(padding, properties) &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

std::vector<std::uint8_t> PublicKey::info() const {
  unsigned char* octets = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &octets);
  require(size > 0);
  std::vector<std::uint8_t> info(octets, octets + size);
  OPENSSL_free(octets);
  return info;
}

std::optional<SigningKey> SigningKey::parse_pem(Octets pem) {
  if (pem.empty() || pem.size() > kLargestPem) return std::nullopt;
  const std::unique_ptr<BIO, openssl::Free<BIO_free>> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  require(source != nullptr);
  openssl::Key key(PEM_read_bio_PrivateKey(source.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  auto open = PublicKey::of(key.get());
  if (!open) return std::nullopt;
  return SigningKey({key.release(), EVP_PKEY_free}, std::move(*open));
}

std::uint64_t PublicKey::mark() const {
  return std::max<std::uint64_t>(1, wire::Reader(blake2s({info()})).u64_be());
}

std::vector<SignatureScheme> SigningKey::schemes() const {
  if (public_.kind() == KeyKind::kEd25519) return {kEd25519};
  if (public_.kind() == KeyKind::kRsa) {
    return {kRsaPssSha256, kRsaPssSha384, kRsaPssSha512, kRsaPkcs1Sha256, kRsaPkcs1Sha384, kRsaPkcs1Sha512};
  }
  if (public_.bits() <= 256) return {kEcdsaSha256, kEcdsaSha384, kEcdsaSha512};
  if (public_.bits() <= 384) return {kEcdsaSha384, kEcdsaSha512, kEcdsaSha256};
  return {kEcdsaSha512, kEcdsaSha384, kEcdsaSha256};
}

std::optional<std::vector<std::uint8_t>> SigningKey::sign(SignatureScheme scheme, Octets message) const {
  const Properties& properties = properties_of(scheme);
  if (properties.kind != public_.kind()) return std::nullopt;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  EVP_PKEY_CTX* padding = nullptr;
  std::vector<std::uint8_t> signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
  std::size_t size = signature.size();
  const bool good = EVP_DigestSignInit_ex(context.get(), &padding, digest_of(properties.hash), nullptr, nullptr,
                                          key_.get(), nullptr) == 1 &&
                    pad(padding, properties) &&
                    EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1;
  ERR_clear_error();
  if (!good) return std::nullopt;
  signature.resize(size);
  return signature;
}

}  // namespace tunnel::crypto
