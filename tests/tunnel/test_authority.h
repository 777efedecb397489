// A certification authority of the tests: makes keys, certificates and revocation lists with any fault that is asked
// for.
#pragma once

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "tunnel/crypto/certificate.h"

namespace test_authority {

using namespace std::chrono_literals;
using namespace tunnel::crypto;
using Octets = std::vector<std::uint8_t>;

inline constexpr WallTime kNow{std::chrono::seconds(1'790'000'000)};

inline void must(bool fact) {
  if (!fact) std::abort();
}

using KeyPair = std::shared_ptr<EVP_PKEY>;
inline KeyPair ec_key(const char* curve = "P-256") {
  return {EVP_EC_gen(curve), EVP_PKEY_free};
}
inline KeyPair rsa_key(unsigned bits) {
  return {EVP_RSA_gen(bits), EVP_PKEY_free};
}
inline KeyPair ed25519_key() {
  return {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free};
}

inline Octets pem_of(EVP_PKEY* key, const char* password = nullptr) {
  BIO* const out = BIO_new(BIO_s_mem());
  const EVP_CIPHER* const cipher = password == nullptr ? nullptr : EVP_aes_256_cbc();
  const auto* const text = reinterpret_cast<const unsigned char*>(password);
  must(PEM_write_bio_PrivateKey(out, key, cipher, text, password == nullptr ? 0 : 4, nullptr, nullptr) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  Octets pem(data, data + size);
  BIO_free(out);
  return pem;
}

inline Octets pem_of(const Certificate& certificate) {
  BIO* const out = BIO_new(BIO_s_mem());
  must(PEM_write_bio_X509(out, certificate.handle()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  Octets pem(data, data + size);
  BIO_free(out);
  return pem;
}

struct Wish {  // of a certificate
  std::string name = "router";
  std::string alternative = "DNS:rtx.hakodate.example";  // OpenSSL's syntax; empty: none
  bool authority = false;
  std::string constraints;  // nameConstraints, OpenSSL's syntax
  std::string usage;        // keyUsage
  WallTime from = kNow - 24h, to = kNow + 24h * 90;
  const EVP_MD* hash = EVP_sha256();
  KeyPair key = ec_key();
};

inline void put_time(ASN1_TIME* out, WallTime time) {
  ASN1_TIME_set(out, std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count());
}

class Authority {
 public:
  explicit Authority(Wish wish = root_wish("root")) : key_(wish.key), certificate_(make(wish, nullptr)) {}
  Authority(const Authority& parent, Wish wish) : key_(wish.key), certificate_(make(wish, &parent)) {}

  static Wish root_wish(const std::string& name) {
    Wish wish;
    wish.name = name, wish.alternative = "", wish.authority = true;
    return wish;
  }
  [[nodiscard]] Certificate issue(const Wish& wish) const { return make(wish, this); }
  [[nodiscard]] const Certificate& certificate() const { return certificate_; }

  struct List {
    WallTime made = kNow - 1h, next = kNow + 24h;
    std::vector<Certificate> revoked;
  };
  [[nodiscard]] Octets revocation_list(const List& list, EVP_PKEY* signer = nullptr) const {
    X509_CRL* const crl = X509_CRL_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(certificate_.handle()));
    ASN1_TIME* const time = ASN1_TIME_new();
    put_time(time, list.made);
    X509_CRL_set1_lastUpdate(crl, time);
    for (const Certificate& certificate : list.revoked) {
      X509_REVOKED* const entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.handle()));
      X509_REVOKED_set_revocationDate(entry, time);
      X509_CRL_add0_revoked(crl, entry);
    }
    put_time(time, list.next);
    X509_CRL_set1_nextUpdate(crl, time);
    ASN1_TIME_free(time);
    must(X509_CRL_sign(crl, signer == nullptr ? key_.get() : signer, EVP_sha256()) > 0);
    unsigned char* der = nullptr;
    const int size = i2d_X509_CRL(crl, &der);
    Octets octets(der, der + size);
    OPENSSL_free(der);
    X509_CRL_free(crl);
    return octets;
  }

 private:
  static void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
    if (value.empty()) return;
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  static Certificate make(const Wish& wish, const Authority* parent) {
    static long serial = 4096;
    X509* const certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_NAME* const name = X509_get_subject_name(certificate);
    for (const auto& [field, text] : {std::pair{"O", std::string("Sekisho tests")}, {"CN", wish.name}}) {
      X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()), -1,
                                 -1, 0);
    }
    X509* const issuer = parent == nullptr ? certificate : parent->certificate_.handle();
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    put_time(X509_getm_notBefore(certificate), wish.from);
    put_time(X509_getm_notAfter(certificate), wish.to);
    X509_set_pubkey(certificate, wish.key.get());
    extend(certificate, issuer, NID_basic_constraints, wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
    extend(certificate, issuer, NID_subject_key_identifier, "hash");
    extend(certificate, issuer, NID_subject_alt_name, wish.alternative);
    extend(certificate, issuer, NID_name_constraints, wish.constraints);
    extend(certificate, issuer, NID_key_usage, wish.usage);
    EVP_PKEY* const signer = parent == nullptr ? wish.key.get() : parent->key_.get();
    must(X509_sign(certificate, signer, EVP_PKEY_is_a(signer, "ED25519") == 1 ? nullptr : wish.hash) > 0);
    Certificate made = Certificate::of(certificate);
    X509_free(certificate);
    return made;
  }
  KeyPair key_;
  Certificate certificate_;
};

inline ClaimedIdentity fqdn(std::string_view name) {
  return {ClaimedIdentity::Kind::kFqdn, {reinterpret_cast<const std::uint8_t*>(name.data()), name.size()}};
}

}  // namespace test_authority
