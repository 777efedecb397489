// Key derivation and PSK authentication against tests/vectors/ike_keys.txt,
// which other code made from the RFC.
#include <catch2/catch.hpp>

#include <fstream>
#include <map>

#include "tests/vectors/hex.h"
#include "tunnel/ike/authentication.h"
#include "tunnel/ike/key_material.h"
#include "tunnel/wire/reader.h"

using namespace tunnel;

namespace {

using Octets = std::vector<std::uint8_t>;

struct KnownKeys {
  explicit KnownKeys(const std::string& label) : label_(label) {
    std::ifstream file(SEKISHO_SOURCE_DIR "/tests/vectors/ike_keys.txt");
    for (std::string name, text; file >> name >> text;) all_[name] = vectors::hex(text);
  }
  const Octets& operator[](const std::string& name) const { return all_.at(label_ + name); }
  std::uint64_t spi(const std::string& name) const { return wire::Reader((*this)[name]).u64_be(); }
  ike::Nonces nonces() const { return {(*this)["ni"], (*this)["nr"]}; }

 private:
  std::string label_;
  std::map<std::string, Octets> all_;
};

Octets octets(const crypto::SecretOctets& secret) {
  return {secret.expose().begin(), secret.expose().end()};
}

struct Case {
  std::string label;
  crypto::Prf prf;
  crypto::CipherSuite cipher;
};

const Case kCases[] = {
    {"gcm256.", crypto::Prf::kHmacSha384, {crypto::Encryption::kAesGcm16, 256, crypto::Integrity::kNone}},
    {"cbc128.", crypto::Prf::kHmacSha256, {crypto::Encryption::kAesCbc, 128, crypto::Integrity::kHmacSha256_128}},
    {"chacha.", crypto::Prf::kHmacSha512, {crypto::Encryption::kChaCha20Poly1305, 256, crypto::Integrity::kNone}},
};

}  // namespace

// RFC 7296 2.14: SK_d, SK_a, SK_e, SK_p are cut in this order.
TEST_CASE("keys of an IKE SA are the known ones") {
  for (const Case& c : kCases) {
    const KnownKeys known(c.label);
    const auto seed = ike::skeyseed(c.prf, known.nonces(), crypto::SecretOctets(known["shared"]));
    CHECK(octets(seed) == known["skeyseed"]);
    const auto keys =
        ike::derive_ike_keys(c.prf, c.cipher, seed, known.nonces(), {known.spi("spi_i"), known.spi("spi_r")});
    CHECK(octets(keys.d) == known["d"]);
    CHECK(octets(keys.initiator) == known["initiator"]);
    CHECK(octets(keys.responder) == known["responder"]);
    CHECK(octets(keys.pi) == known["pi"]);
    CHECK(octets(keys.pr) == known["pr"]);
  }
}

// RFC 7296 2.18 and 2.17.
TEST_CASE("rekeyed seed and keying material of CHILD SAs are the known ones") {
  for (const Case& c : kCases) {
    const KnownKeys known(c.label);
    const crypto::SecretOctets sk_d(known["d"]), fresh(known["fresh"]);
    CHECK(octets(ike::rekeyed_skeyseed(c.prf, sk_d, fresh, known.nonces())) == known["rekeyed"]);
    for (const bool pfs : {false, true}) {
      const auto keys = ike::derive_child_keys(c.prf, c.cipher, sk_d, pfs ? fresh.duplicate() : crypto::SecretOctets{},
                                               known.nonces());
      Octets both = octets(keys.initiator);
      const Octets second = octets(keys.responder);
      CHECK(both.size() == second.size());
      both.insert(both.end(), second.begin(), second.end());
      CHECK(both == known[pfs ? "keymat_pfs" : "keymat"]);
    }
  }
}

// RFC 7296 2.15.
TEST_CASE("PSK authentication is the known one, and nothing else is equal to it") {
  for (const Case& c : kCases) {
    const KnownKeys known(c.label);
    const auto text =
        ike::signed_octets(c.prf, known["message"], known["nr"], crypto::SecretOctets(known["pi"]), known["identity"]);
    CHECK(text == known["signed"]);
    const auto auth = ike::psk_authentication(c.prf, known["psk"], text);
    CHECK(octets(auth) == known["auth"]);
    CHECK(ike::verify_psk(known["auth"], auth.expose()));
    for (std::size_t i = 0; i < auth.size(); ++i) {
      Octets forged = known["auth"];
      forged[i] ^= 1;
      CHECK_FALSE(ike::verify_psk(forged, auth.expose()));
    }
    CHECK_FALSE(ike::verify_psk(wire::ConstBytes(known["auth"]).first(auth.size() - 1), auth.expose()));
    CHECK_FALSE(ike::verify_psk({}, auth.expose()));
    CHECK_FALSE(ike::verify_psk({}, {}));
  }
}
