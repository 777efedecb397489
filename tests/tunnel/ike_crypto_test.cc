// Suites, prf, prf+ and Diffie-Hellman against tests/vectors/ike_crypto.txt, and what a peer must not get through with.
#include <catch2/catch.hpp>

#include "tests/vectors/lines.h"
#include "tunnel/crypto/key_exchange.h"
#include "tunnel/crypto/prf.h"

using namespace tunnel::crypto;
using vectors::hex;

namespace {

using Octets = std::vector<std::uint8_t>;

std::vector<vectors::Fields> known(std::string_view kind) {
  return vectors::lines(SEKISHO_SOURCE_DIR "/tests/vectors/ike_crypto.txt", kind);
}

Octets octets(const SecretOctets& secret) {
  return {secret.expose().begin(), secret.expose().end()};
}

constexpr Group kAllGroups[] = {Group::kModp2048, Group::kModp3072, Group::kModp4096,  Group::kEcp256,
                                Group::kEcp384,   Group::kEcp521,   Group::kCurve25519};

KeyExchange fresh(Group group) {
  auto made = KeyExchange::generate(group);
  REQUIRE(made.has_value());
  return std::move(*made);
}

bool accepts(Group group, const Octets& peer) {
  return fresh(group).shared_secret(peer).has_value();
}

Octets number(std::size_t size, std::uint8_t value) {
  Octets out(size);
  out.back() = value;
  return out;
}

Octets prime(Group group) {
  for (const auto& fields : known("prime")) {
    if (std::stoi(fields.at(0)) == static_cast<int>(group)) return hex(fields.at(1));
  }
  return {};
}

}  // namespace

TEST_CASE("RFC 4868 2.1, RFC 4106 8.1, RFC 7634 4, RFC 3602 2: sizes of every suite") {
  struct Row {
    CipherSuite suite;
    std::size_t encryption, salt, integrity, iv, tag, block;
  };
  const Row rows[] = {
      {{Encryption::kAesGcm16, 128, Integrity::kNone}, 16, 4, 0, 8, 16, 1},
      {{Encryption::kAesGcm16, 256, Integrity::kNone}, 32, 4, 0, 8, 16, 1},
      {{Encryption::kChaCha20Poly1305, 256, Integrity::kNone}, 32, 4, 0, 8, 16, 1},
      {{Encryption::kAesCbc, 128, Integrity::kHmacSha256_128}, 16, 0, 32, 16, 16, 16},
      {{Encryption::kAesCbc, 256, Integrity::kHmacSha384_192}, 32, 0, 48, 16, 24, 16},
      {{Encryption::kAesCbc, 256, Integrity::kHmacSha512_256}, 32, 0, 64, 16, 32, 16},
  };
  for (const Row& row : rows) {
    CHECK(is_supported(row.suite));
    const KeySizes sizes = key_sizes(row.suite);
    CHECK(sizes.encryption == row.encryption);
    CHECK(sizes.salt == row.salt);
    CHECK(sizes.integrity == row.integrity);
    CHECK(sizes.total() == row.encryption + row.salt + row.integrity);
    CHECK(explicit_iv_size(row.suite) == row.iv);
    CHECK(tag_size(row.suite) == row.tag);
    CHECK(block_size(row.suite) == row.block);
  }
}

TEST_CASE("a suite that is no suite of this library is refused") {
  CHECK_FALSE(is_supported({Encryption::kAesCbc, 256, Integrity::kNone}));
  CHECK_FALSE(is_supported({Encryption::kAesGcm16, 256, Integrity::kHmacSha256_128}));
  CHECK_FALSE(is_supported({Encryption::kAesGcm16, 192, Integrity::kNone}));
  CHECK_FALSE(is_supported({Encryption::kAesGcm16, 0, Integrity::kNone}));
  CHECK_FALSE(is_supported({Encryption::kChaCha20Poly1305, 128, Integrity::kNone}));
  CHECK_FALSE(is_supported({static_cast<Encryption>(3), 192, Integrity::kHmacSha256_128}));
  CHECK_FALSE(is_supported({Encryption::kAesCbc, 256, static_cast<Integrity>(2)}));
}

TEST_CASE("RFC 4868 2.7: prf") {
  const auto all = known("prf");
  REQUIRE(all.size() == 14);
  for (const auto& fields : all) {
    const auto which = static_cast<Prf>(std::stoi(fields.at(0)));
    const Octets key = hex(fields.at(1)), data = hex(fields.at(2));
    CHECK(octets(prf(which, key, {data})) == hex(fields.at(3)));
    const auto whole = std::span(data);
    CHECK(octets(prf(which, key, {whole.first(3), {}, whole.subspan(3)})) == hex(fields.at(3)));
    CHECK(prf_size(which) == hex(fields.at(3)).size());
  }
}

TEST_CASE("RFC 7296 2.13: prf+, up to its last block") {
  const auto all = known("prf+");
  REQUIRE(all.size() == 15);
  for (const auto& fields : all) {
    const Octets seed = hex(fields.at(2)), expected = hex(fields.at(3));
    const auto whole = std::span(seed);
    const auto out = prf_plus(static_cast<Prf>(std::stoi(fields.at(0))), hex(fields.at(1)),
                              {whole.first(32), whole.subspan(32)}, expected.size());
    CHECK(octets(out) == expected);
  }
  CHECK(prf_plus(Prf::kHmacSha256, Octets(32, 1), {}, 0).empty());
}

TEST_CASE("RFC 5903 8, RFC 7748 6.1, RFC 3526: shared secrets, leading zeros kept") {
  const auto all = known("dh");
  REQUIRE(all.size() == 10);
  std::size_t with_leading_zero = 0;
  for (const auto& fields : all) {
    const auto group = static_cast<Group>(std::stoi(fields.at(0)));
    INFO("group " << fields.at(0));
    const Octets i = hex(fields.at(1)), gi = hex(fields.at(2)), r = hex(fields.at(3)), gr = hex(fields.at(4));
    const auto initiator = KeyExchange::restore(group, i, gi), responder = KeyExchange::restore(group, r, gr);
    REQUIRE((initiator && responder));
    CHECK(std::ranges::equal(initiator->public_value(), gi));
    const auto a = initiator->shared_secret(gr), b = responder->shared_secret(gi);
    REQUIRE((a && b));
    CHECK(octets(*a) == hex(fields.at(5)));
    CHECK(octets(*b) == hex(fields.at(5)));
    with_leading_zero += a->expose()[0] == 0;
    CHECK_FALSE(KeyExchange::restore(group, i, gr).has_value());
  }
  CHECK(with_leading_zero >= 3);
}

TEST_CASE("fresh pairs of every group agree and differ") {
  for (const Group group : kAllGroups) {
    INFO("group " << static_cast<int>(group));
    const KeyExchange a = fresh(group), b = fresh(group);
    CHECK(a.group() == group);
    CHECK(a.public_value().size() == public_value_size(group));
    CHECK_FALSE(std::ranges::equal(a.public_value(), b.public_value()));
    const auto one = a.shared_secret(b.public_value()), two = b.shared_secret(a.public_value());
    REQUIRE((one && two));
    CHECK(octets(*one) == octets(*two));
  }
  CHECK(public_value_size(Group::kNone) == 0);
  CHECK_FALSE(KeyExchange::generate(Group::kNone).has_value());
  CHECK_FALSE(KeyExchange::generate(static_cast<Group>(2)).has_value());
}

TEST_CASE("a public value of a wrong length is refused") {
  for (const Group group : kAllGroups) {
    const KeyExchange other = fresh(group);
    Octets value(other.public_value().begin(), other.public_value().end());
    CHECK(accepts(group, value));
    value.push_back(0);
    CHECK_FALSE(accepts(group, value));
    value.resize(value.size() - 2);
    CHECK_FALSE(accepts(group, value));
    CHECK_FALSE(accepts(group, {}));
  }
}

TEST_CASE("RFC 6989 2.1: of the MODP groups, 0, 1, p-1, p and more are refused") {
  for (const Group group : {Group::kModp2048, Group::kModp3072, Group::kModp4096}) {
    INFO("group " << static_cast<int>(group));
    const std::size_t size = public_value_size(group);
    const Octets p = prime(group);
    REQUIRE(p.size() == size);
    Octets less = p, least = p, more = p;
    less.back() -= 1;
    least.back() -= 2;
    more.back() -= 0x7f;
    CHECK_FALSE(accepts(group, number(size, 0)));
    CHECK_FALSE(accepts(group, number(size, 1)));
    CHECK_FALSE(accepts(group, less));
    CHECK_FALSE(accepts(group, p));
    CHECK_FALSE(accepts(group, Octets(size, 0xff)));
    CHECK(accepts(group, number(size, 2)));
    CHECK(accepts(group, least));
    CHECK(accepts(group, more));
  }
}

TEST_CASE("RFC 6989 2.3: a value that is no point of the curve is refused") {
  for (const Group group : {Group::kEcp256, Group::kEcp384, Group::kEcp521}) {
    const KeyExchange other = fresh(group);
    const Octets good(other.public_value().begin(), other.public_value().end());
    CHECK(accepts(group, good));
    for (const std::size_t at : {good.size() / 2 - 1, good.size() - 1}) {
      Octets changed = good;
      changed[at] ^= 1;
      CHECK_FALSE(accepts(group, changed));
    }
    CHECK_FALSE(accepts(group, Octets(good.size(), 0)));     // the point at infinity has no such form
    CHECK_FALSE(accepts(group, Octets(good.size(), 0xff)));  // both coordinates beyond p
  }
}

TEST_CASE("RFC 8031 3.2: a Curve25519 value of low order gives nothing") {
  const char* const low[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                             "0100000000000000000000000000000000000000000000000000000000000000",
                             "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                             "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"};
  for (const char* const value : low) CHECK_FALSE(accepts(Group::kCurve25519, hex(value)));
  CHECK(accepts(Group::kCurve25519, number(32, 1)));
}
