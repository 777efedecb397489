// Reading certificates. d2i_X509 and friends do the parsing; here are only bounds, and the times as WallTime.
#include "tunnel/crypto/certificate.h"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tunnel/crypto/certificate_times.h"
#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using Octets = std::span<const std::uint8_t>;
using wire::require;

constexpr std::size_t kLargestPem = 1024 * 1024;

Octets octets_of(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

char lower(std::uint8_t octet) {
  return static_cast<char>(octet >= 'A' && octet <= 'Z' ? octet + 0x20 : octet);
}

bool alternative_equals(const GENERAL_NAME& name, const ClaimedIdentity& identity) {
  int type = 0;
  const void* const value = GENERAL_NAME_get0_value(&name, &type);
  switch (identity.kind) {
    case ClaimedIdentity::Kind::kFqdn:
      return type == GEN_DNS &&
             std::ranges::equal(octets_of(static_cast<const ASN1_STRING*>(value)), identity.data, {}, lower, lower);
    case ClaimedIdentity::Kind::kEmail:
      return type == GEN_EMAIL && std::ranges::equal(octets_of(static_cast<const ASN1_STRING*>(value)), identity.data);
    case ClaimedIdentity::Kind::kIp:
      return type == GEN_IPADD && std::ranges::equal(octets_of(static_cast<const ASN1_STRING*>(value)), identity.data);
    case ClaimedIdentity::Kind::kDn:
    case ClaimedIdentity::Kind::kKeyId:
      return false;
  }
  return false;
}

using GeneralNames = std::unique_ptr<GENERAL_NAMES, openssl::Free<GENERAL_NAMES_free>>;

GeneralNames alternatives_of(X509* certificate) {
  return GeneralNames(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
}

bool has_alternative(X509* certificate, const ClaimedIdentity& identity) {
  const auto all = alternatives_of(certificate);
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    if (alternative_equals(*sk_GENERAL_NAME_value(all.get(), i), identity)) return true;
  }
  return false;
}

}  // namespace

std::optional<Certificate> Certificate::parse(Octets der) {
  if (der.empty() || der.size() > kLargest) return std::nullopt;
  const unsigned char* at = der.data();
  std::unique_ptr<X509, openssl::Free<X509_free>> handle(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (handle == nullptr || at != der.data() + der.size()) return std::nullopt;
  return Certificate({handle.release(), X509_free});
}

std::optional<std::vector<Certificate>> Certificate::parse_pem(Octets pem) {
  if (pem.empty() || pem.size() > kLargestPem) return std::nullopt;
  const std::unique_ptr<BIO, openssl::Free<BIO_free>> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  require(source != nullptr);
  std::vector<Certificate> all;
  while (X509* const handle = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
    all.push_back(Certificate({handle, X509_free}));
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;  // and not in the middle of one
  ERR_clear_error();
  if (!ended || all.empty()) return std::nullopt;
  return all;
}

Certificate Certificate::of(x509_st* handle) {
  require(X509_up_ref(handle) == 1);
  return Certificate({handle, X509_free});
}

std::vector<std::uint8_t> Certificate::der() const {
  unsigned char* octets = nullptr;
  const int size = i2d_X509(handle_.get(), &octets);
  require(size > 0);
  std::vector<std::uint8_t> der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

std::optional<PublicKey> Certificate::public_key() const {
  auto key = PublicKey::of(X509_get0_pubkey(handle_.get()));
  ERR_clear_error();
  return key;
}

WallTime Certificate::not_before() const {
  return wall_time(X509_get0_notBefore(handle_.get()));
}
WallTime Certificate::not_after() const {
  return wall_time(X509_get0_notAfter(handle_.get()));
}
std::string Certificate::subject() const {
  return text_of(X509_get_subject_name(handle_.get()));
}
std::string Certificate::issuer() const {
  return text_of(X509_get_issuer_name(handle_.get()));
}

std::string Certificate::serial() const {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : octets_of(X509_get0_serialNumber(handle_.get()))) {
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text.substr(0, 64);
}

std::vector<std::uint8_t> Certificate::subject_der() const {
  unsigned char* octets = nullptr;
  const int size = i2d_X509_NAME(X509_get_subject_name(handle_.get()), &octets);
  require(size >= 0);
  std::vector<std::uint8_t> der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

std::array<std::uint8_t, 20> Certificate::authority_hash() const {
  unsigned char* octets = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(handle_.get()), &octets);
  std::array<std::uint8_t, 20> hash{};
  require(size > 0 &&
          EVP_Digest(octets, static_cast<std::size_t>(size), hash.data(), nullptr, EVP_sha1(), nullptr) == 1);
  OPENSSL_free(octets);
  return hash;
}

bool names(const Certificate& certificate, const ClaimedIdentity& identity) {
  if (identity.data.empty()) return false;
  bool found = false;
  if (identity.kind == ClaimedIdentity::Kind::kDn) {
    const auto claimed = DistinguishedName::parse(identity.data);
    found = claimed && *claimed == DistinguishedName::parse(certificate.subject_der());
  } else if (identity.kind == ClaimedIdentity::Kind::kKeyId) {
    const ASN1_OCTET_STRING* const id = X509_get0_subject_key_id(certificate.handle());
    found = id != nullptr && std::ranges::equal(octets_of(id), identity.data);
  } else {
    found = has_alternative(certificate.handle(), identity);
  }
  ERR_clear_error();
  return found;
}

std::vector<AlternativeName> alternative_names(const Certificate& certificate) {
  using Kind = ClaimedIdentity::Kind;
  std::vector<AlternativeName> found;
  const auto all = alternatives_of(certificate.handle());
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    if (type != GEN_DNS && type != GEN_EMAIL && type != GEN_IPADD) continue;
    const Octets octets = octets_of(static_cast<const ASN1_STRING*>(value));
    const Kind kind = type == GEN_DNS ? Kind::kFqdn : type == GEN_EMAIL ? Kind::kEmail : Kind::kIp;
    found.push_back({kind, {octets.begin(), octets.end()}});
  }
  ERR_clear_error();
  return found;
}

}  // namespace tunnel::crypto
