// PKCS#10: what is asked for is what stands in the request, read back by OpenSSL, and signed by the key.
#include "tunnel/crypto/certificate_request.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>

#include "tests/tunnel/test_authority.h"

namespace {

using namespace test_authority;
using Kind = ClaimedIdentity::Kind;
using Request = std::unique_ptr<X509_REQ, decltype([](X509_REQ* request) { X509_REQ_free(request); })>;

AlternativeName named(Kind kind, std::string_view text) {
  return {kind, {text.begin(), text.end()}};
}

Request parse(const std::string& pem) {
  BIO* const in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Request request(PEM_read_bio_X509_REQ(in, nullptr, nullptr, nullptr));
  BIO_free(in);
  return request;
}

std::string text_of(const X509_REQ* request) {
  BIO* const out = BIO_new(BIO_s_mem());
  must(X509_REQ_print(out, const_cast<X509_REQ*>(request)) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string text(data, data + size);
  BIO_free(out);
  return text;
}

DistinguishedName subject(std::string_view text) {
  return DistinguishedName::parse_text(text).value();
}

}  // namespace

TEST_CASE("certificate request: of each kind of key, signed by it, with its public half") {
  for (const auto& [key, hash] : {std::pair{ec_key("P-256"), "ecdsa-with-SHA256"},
                                  {ec_key("P-384"), "ecdsa-with-SHA384"},
                                  {ec_key("P-521"), "ecdsa-with-SHA512"},
                                  {rsa_key(3072), "sha256WithRSAEncryption"},
                                  {ed25519_key(), "ED25519"}}) {
    const auto signing = SigningKey::parse_pem(pem_of(key.get()));
    REQUIRE(signing);
    const auto pem = certificate_request(*signing, subject("CN=gw.example, O=Centre, C=JP"), {});
    REQUIRE(pem);
    const auto request = parse(*pem);
    REQUIRE(request != nullptr);
    INFO(text_of(request.get()));
    CHECK(X509_REQ_verify(request.get(), key.get()) == 1);
    CHECK(X509_REQ_verify(request.get(), ec_key().get()) != 1);
    CHECK(EVP_PKEY_eq(X509_REQ_get0_pubkey(request.get()), key.get()) == 1);
    CHECK(text_of(request.get()).find(hash) != std::string::npos);
    CHECK(pem->find("PRIVATE") == std::string::npos);
  }
}

TEST_CASE("certificate request: the names, and that the key signs, are asked for") {
  const auto key = ec_key();
  const auto signing = SigningKey::parse_pem(pem_of(key.get()));
  const std::vector<AlternativeName> names{named(Kind::kFqdn, "gw.example"),
                                           named(Kind::kEmail, "noc@gw.example"),
                                           {Kind::kIp, {203, 0, 113, 10}},
                                           {Kind::kIp, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}};
  const auto pem = certificate_request(*signing, subject("CN=ゲートウェイ, O=Centre, C=JP"), names);
  REQUIRE(pem);
  const auto request = parse(*pem);
  const auto text = text_of(request.get());
  INFO(text);
  CHECK(text.find("DNS:gw.example, email:noc@gw.example, IP Address:203.0.113.10, IP Address:2001:DB8:0:0:0:0:0:1") !=
        std::string::npos);
  CHECK(text.find("X509v3 Key Usage: critical\n") != std::string::npos);
  CHECK(text.find("Digital Signature\n") != std::string::npos);
  CHECK(text.find("Certificate Sign") == std::string::npos);
  const auto wanted = subject("CN=ゲートウェイ, O=Centre, C=JP").der();
  unsigned char* der = nullptr;
  const int size = i2d_X509_NAME(X509_REQ_get_subject_name(request.get()), &der);
  CHECK(Octets(der, der + size) == wanted);
  OPENSSL_free(der);
}

TEST_CASE("certificate request: a name that cannot stand in one makes none") {
  const auto signing = SigningKey::parse_pem(pem_of(ec_key().get()));
  const auto made = [&](const AlternativeName& name) {
    return certificate_request(*signing, subject("CN=gw"), std::array{name}).has_value();
  };
  CHECK(made(named(Kind::kFqdn, "gw.example")));
  CHECK_FALSE(made(named(Kind::kFqdn, "")));
  CHECK_FALSE(made(named(Kind::kFqdn, "gw\n.example")));
  CHECK_FALSE(made(named(Kind::kEmail, "病院@gw.example")));
  CHECK_FALSE(made({Kind::kIp, {1, 2, 3}}));
  CHECK_FALSE(made(named(Kind::kKeyId, "gw")));
}

TEST_CASE("alternative names of a certificate, in its order, the kinds an identity can have") {
  Wish wish;
  wish.alternative = "DNS:gw.example,URI:https://gw.example,IP:203.0.113.10,email:noc@gw.example,IP:2001:db8::1";
  const auto names = alternative_names(Authority(wish).certificate());
  REQUIRE(names.size() == 4);
  CHECK(names[0].kind == Kind::kFqdn);
  CHECK(names[0].data == named(Kind::kFqdn, "gw.example").data);
  CHECK(names[1].data == Octets{203, 0, 113, 10});
  CHECK(names[2].kind == Kind::kEmail);
  CHECK(names[3].data.size() == 16);
  wish.alternative = "";
  CHECK(alternative_names(Authority(wish).certificate()).empty());
}
