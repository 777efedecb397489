// RFC 7427 and RFC 8420 signatures: those of other code verify, ours verify, and nothing else does.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "tests/tunnel/test_authority.h"
#include "tests/vectors/lines.h"

using namespace test_authority;
using vectors::hex;

namespace {

struct Signed {
  Octets info, identifier, message, signature;
};

std::vector<Signed> known() {
  std::vector<Signed> all;
  for (const auto& f : vectors::lines(SEKISHO_SOURCE_DIR "/tests/vectors/signatures.txt", "signature")) {
    all.push_back({hex(f.at(0)), hex(f.at(1)), hex(f.at(2)), hex(f.at(3))});
  }
  return all;
}

constexpr SignatureScheme kAll[] = {
    SignatureScheme::kEcdsaSha256,    SignatureScheme::kEcdsaSha384,    SignatureScheme::kEcdsaSha512,
    SignatureScheme::kRsaPssSha256,   SignatureScheme::kRsaPssSha384,   SignatureScheme::kRsaPssSha512,
    SignatureScheme::kRsaPkcs1Sha256, SignatureScheme::kRsaPkcs1Sha384, SignatureScheme::kRsaPkcs1Sha512,
    SignatureScheme::kEd25519,
};

SigningKey signing(const KeyPair& key) {
  auto made = SigningKey::parse_pem(pem_of(key.get()));
  REQUIRE(made.has_value());
  return std::move(*made);
}

const Octets kMessage = {1, 2, 3, 4, 5};

}  // namespace

TEST_CASE("RFC 7427 A, RFC 8420 A: signatures of other code verify, changed ones do not") {
  const auto all = known();
  REQUIRE(all.size() == 28);
  std::set<SignatureScheme> seen;
  for (const Signed& s : all) {
    const auto key = PublicKey::parse(s.info);
    const auto scheme = scheme_of(s.identifier);
    REQUIRE((key && scheme));
    seen.insert(*scheme);
    CHECK(key->verify(*scheme, s.message, s.signature));
    CHECK(key->info() == s.info);
    Octets message = s.message, signature = s.signature, longer = s.signature;
    message[0] ^= 1;
    signature[signature.size() - 1] ^= 1;
    longer.push_back(0);
    CHECK_FALSE(key->verify(*scheme, message, s.signature));
    CHECK_FALSE(key->verify(*scheme, s.message, signature));
    CHECK_FALSE(key->verify(*scheme, s.message, longer));
    CHECK_FALSE(key->verify(*scheme, s.message, {}));
    CHECK_FALSE(key->verify(*scheme, {}, s.signature));
    for (const SignatureScheme other : kAll) CHECK(key->verify(other, s.message, s.signature) == (other == *scheme));
  }
  CHECK(seen.size() == std::size(kAll));
}

TEST_CASE("an identifier that is not exactly one of ours is none") {
  for (const SignatureScheme scheme : kAll) {
    const auto identifier = algorithm_identifier(scheme);
    CHECK(scheme_of(identifier) == scheme);
    Octets changed(identifier.begin(), identifier.end());
    changed.push_back(0);
    CHECK_FALSE(scheme_of(changed).has_value());
    changed.resize(identifier.size() - 1);
    CHECK_FALSE(scheme_of(changed).has_value());
  }
  CHECK_FALSE(scheme_of({}).has_value());
  CHECK_FALSE(scheme_of(hex("300d06092a864886f70d0101050500")).has_value());  // sha1WithRSAEncryption
  CHECK_FALSE(scheme_of(hex("300906072a8648ce3d0401")).has_value());          // ecdsa-with-SHA1
}

TEST_CASE("every kind of key signs with every scheme of its own and no other") {
  const KeyPair keys[] = {ec_key("P-256"), ec_key("P-384"), ec_key("P-521"),
                          rsa_key(2048),   rsa_key(3072),   ed25519_key()};
  const KeyKind kinds[] = {KeyKind::kEcdsa, KeyKind::kEcdsa, KeyKind::kEcdsa,
                           KeyKind::kRsa,   KeyKind::kRsa,   KeyKind::kEd25519};
  const std::size_t bits[] = {256, 384, 521, 2048, 3072, 256};
  for (std::size_t i = 0; i < std::size(keys); ++i) {
    const SigningKey key = signing(keys[i]);
    CHECK(key.public_key().kind() == kinds[i]);
    CHECK(key.public_key().bits() == bits[i]);
    const auto own = key.schemes();
    CHECK(own.size() == (kinds[i] == KeyKind::kRsa ? 6u : kinds[i] == KeyKind::kEcdsa ? 3u : 1u));
    for (const SignatureScheme scheme : kAll) {
      const auto signature = key.sign(scheme, kMessage);
      REQUIRE(signature.has_value() == (std::ranges::count(own, scheme) == 1));
      if (signature) CHECK(key.public_key().verify(scheme, kMessage, *signature));
    }
  }
  CHECK(signing(keys[0]).schemes()[0] == SignatureScheme::kEcdsaSha256);
  CHECK(signing(keys[1]).schemes()[0] == SignatureScheme::kEcdsaSha384);
  CHECK(signing(keys[2]).schemes()[0] == SignatureScheme::kEcdsaSha512);
  CHECK(signing(keys[3]).schemes()[0] == SignatureScheme::kRsaPssSha256);
}

TEST_CASE("another key of the same kind does not verify") {
  for (const auto& [one, two] :
       {std::pair{ec_key(), ec_key()}, {rsa_key(2048), rsa_key(2048)}, {ed25519_key(), ed25519_key()}}) {
    const SigningKey signer = signing(one);
    const SignatureScheme scheme = signer.schemes()[0];
    const auto signature = signer.sign(scheme, kMessage);
    REQUIRE(signature.has_value());
    CHECK(signer.public_key().verify(scheme, kMessage, *signature));
    CHECK_FALSE(signing(two).public_key().verify(scheme, kMessage, *signature));
  }
}

TEST_CASE("keys too short, too long, of other curves or kinds are not taken") {
  CHECK_FALSE(PublicKey::of(rsa_key(1024).get()).has_value());
  CHECK_FALSE(PublicKey::of(rsa_key(2040).get()).has_value());
  CHECK(PublicKey::of(rsa_key(2048).get()).has_value());
  CHECK_FALSE(PublicKey::of(ec_key("secp256k1").get()).has_value());
  CHECK_FALSE(PublicKey::of(ec_key("P-224").get()).has_value());
  const KeyPair x25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"), EVP_PKEY_free);
  CHECK_FALSE(PublicKey::of(x25519.get()).has_value());
  CHECK_FALSE(PublicKey::of(nullptr).has_value());
  CHECK_FALSE(SigningKey::parse_pem(pem_of(rsa_key(1024).get())).has_value());
}

TEST_CASE("what is no key, or an encrypted one, gives nothing") {
  const KeyPair key = ec_key();
  Octets info = PublicKey::of(key.get())->info();
  CHECK(PublicKey::parse(info).has_value());
  info.push_back(0);
  CHECK_FALSE(PublicKey::parse(info).has_value());
  info.resize(info.size() - 2);
  CHECK_FALSE(PublicKey::parse(info).has_value());
  CHECK_FALSE(PublicKey::parse({}).has_value());
  CHECK_FALSE(SigningKey::parse_pem({}).has_value());
  CHECK_FALSE(SigningKey::parse_pem(kMessage).has_value());
  CHECK_FALSE(SigningKey::parse_pem(pem_of(key.get(), "pass")).has_value());
}

TEST_CASE("RFC 7427 4, RFC 8420 3: the hashes that are announced") {
  CHECK(hash_of(SignatureScheme::kEcdsaSha256) == SignatureHash::kSha256);
  CHECK(hash_of(SignatureScheme::kRsaPssSha384) == SignatureHash::kSha384);
  CHECK(hash_of(SignatureScheme::kRsaPkcs1Sha512) == SignatureHash::kSha512);
  CHECK(hash_of(SignatureScheme::kEd25519) == SignatureHash::kIdentity);
}
