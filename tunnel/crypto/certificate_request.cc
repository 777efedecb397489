#include "tunnel/crypto/certificate_request.h"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using openssl::Free;
using wire::require;
using Request = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), decltype([](STACK_OF(X509_EXTENSION) * all) {
                                     sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
                                   })>;

std::optional<int> type_of(const AlternativeName& name) {
  using Kind = ClaimedIdentity::Kind;
  const auto printable = [](std::uint8_t octet) { return octet > 0x20 && octet < 0x7f; };
  const bool text = !name.data.empty() && std::ranges::all_of(name.data, printable);
  if (name.kind == Kind::kIp && (name.data.size() == 4 || name.data.size() == 16)) return GEN_IPADD;
  if (name.kind == Kind::kFqdn && text) return GEN_DNS;
  if (name.kind == Kind::kEmail && text) return GEN_EMAIL;
  return std::nullopt;
}

// GENERAL_NAME has the string of all three kinds in one place, and frees it by `type`.
bool add(GENERAL_NAMES* to, const AlternativeName& name) {
  const auto type = type_of(name);
  if (!type) return false;
  ASN1_STRING* const octets = ASN1_STRING_type_new(*type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  require(octets != nullptr && ASN1_STRING_set(octets, name.data.data(), static_cast<int>(name.data.size())) == 1);
  GENERAL_NAME* const added = GENERAL_NAME_new();
  require(added != nullptr);
  GENERAL_NAME_set0_value(added, *type, octets);
  require(sk_GENERAL_NAME_push(to, added) > 0);
  return true;
}

void add_extensions(X509_REQ* request, GENERAL_NAMES* names) {
  STACK_OF(X509_EXTENSION)* made = nullptr;
  const std::unique_ptr<ASN1_BIT_STRING, Free<ASN1_BIT_STRING_free>> usage(ASN1_BIT_STRING_new());
  require(usage != nullptr && ASN1_BIT_STRING_set_bit(usage.get(), 0, 1) == 1);  // RFC 5280 4.2.1.3: digitalSignature
  require(X509V3_add1_i2d(&made, NID_key_usage, usage.get(), 1, X509V3_ADD_DEFAULT) == 1);
  const Extensions all(made);
  if (sk_GENERAL_NAME_num(names) > 0)
    require(X509V3_add1_i2d(&made, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
  require(X509_REQ_add_extensions(request, all.get()) == 1);
}

// The hash that fits the key; Ed25519 has its own. RSA by PKCS#1, which every authority reads.
const EVP_MD* hash_for(const PublicKey& key) {
  if (key.kind() == KeyKind::kEd25519) return nullptr;
  if (key.kind() == KeyKind::kRsa || key.bits() <= 256) return EVP_sha256();
  return key.bits() <= 384 ? EVP_sha384() : EVP_sha512();
}

std::string pem_of(const X509_REQ* request) {
  const std::unique_ptr<BIO, Free<BIO_free>> out(BIO_new(BIO_s_mem()));
  require(out != nullptr && PEM_write_bio_X509_REQ(out.get(), request) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  require(size > 0);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

std::optional<std::string> certificate_request(const SigningKey& key, const DistinguishedName& subject,
                                               std::span<const AlternativeName> names) {
  const Names all(GENERAL_NAMES_new());
  require(all != nullptr);
  for (const AlternativeName& name : names)
    if (!add(all.get(), name)) return std::nullopt;
  const Request request(X509_REQ_new());
  const auto der = subject.der();
  const unsigned char* at = der.data();
  const std::unique_ptr<X509_NAME, Free<X509_NAME_free>> name(
      d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  require(request != nullptr && name != nullptr && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
          X509_REQ_set_subject_name(request.get(), name.get()) == 1 &&
          X509_REQ_set_pubkey(request.get(), key.key_.get()) == 1);
  add_extensions(request.get(), all.get());
  require(X509_REQ_sign(request.get(), key.key_.get(), hash_for(key.public_key())) > 0);
  ERR_clear_error();
  return pem_of(request.get());
}

}  // namespace tunnel::crypto
