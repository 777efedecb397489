#include "gateway/os/signing_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <memory>

#include "tunnel/crypto/signature.h"

namespace gateway::os {
namespace {

using tunnel::crypto::SecretOctets;
using Key = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* key) { EVP_PKEY_free(key); })>;
using Text = std::unique_ptr<BIO, decltype([](BIO* text) { BIO_free(text); })>;

struct Kind {
  std::string_view name;
  EVP_PKEY* (*make)();
};
constexpr std::array<Kind, 6> kKinds{{{"ecdsa-p256", [] { return EVP_EC_gen("P-256"); }},
                                      {"ecdsa-p384", [] { return EVP_EC_gen("P-384"); }},
                                      {"ecdsa-p521", [] { return EVP_EC_gen("P-521"); }},
                                      {"rsa-3072", [] { return EVP_RSA_gen(3072); }},
                                      {"rsa-4096", [] { return EVP_RSA_gen(4096); }},
                                      {"ed25519", [] { return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); }}}};

std::unexpected<OsError> failed(std::string what) {
  ERR_clear_error();
  return std::unexpected(OsError{0, std::move(what)});
}

}  // namespace

std::vector<std::string_view> signing_key_kinds() {
  std::vector<std::string_view> names;
  for (const auto& kind : kKinds) names.push_back(kind.name);
  return names;
}

OsResult<SecretOctets> make_signing_key(std::string_view name) {
  const auto* const kind = std::ranges::find(kKinds, name, &Kind::name);
  if (kind == kKinds.end()) return failed("'" + std::string(name) + "' is no kind of signing key");
  const Key key(kind->make());
  const Text text(BIO_new(BIO_s_secmem()));  // wiped when it is freed
  if (key == nullptr || text == nullptr ||
      PEM_write_bio_PKCS8PrivateKey(text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return failed("OpenSSL made no key of the kind " + std::string(name));
  const char* octets = nullptr;
  const long size = BIO_get_mem_data(text.get(), &octets);
  if (size <= 0) return failed("OpenSSL wrote no key");
  SecretOctets pem(std::span(reinterpret_cast<const std::uint8_t*>(octets), static_cast<std::size_t>(size)));
  if (!tunnel::crypto::SigningKey::parse_pem(pem.expose())) return failed("OpenSSL wrote a key that is none");
  return pem;
}

}  // namespace gateway::os
