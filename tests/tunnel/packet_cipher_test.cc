// Both engines against the same known answers (RFC 4106, RFC 7634, RFC 3602 with RFC 4868), and everything that must
// not open.
#include <catch2/catch.hpp>

#include "tests/vectors/lines.h"
#include "tunnel/crypto/packet_cipher.h"

using namespace tunnel::crypto;
using vectors::hex;

namespace {

using Octets = std::vector<std::uint8_t>;

struct Case {
  CipherSuite suite;
  Octets key, before, after, iv, plain, sealed;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& f : vectors::lines(SEKISHO_SOURCE_DIR "/tests/vectors/ike_crypto.txt", "packet")) {
    const CipherSuite suite{static_cast<Encryption>(std::stoi(f.at(0))), static_cast<std::uint16_t>(std::stoi(f.at(1))),
                            static_cast<Integrity>(std::stoi(f.at(2)))};
    all.push_back({suite, hex(f.at(3)), hex(f.at(4)), hex(f.at(5)), hex(f.at(6)), hex(f.at(7)), hex(f.at(8))});
  }
  return all;
}

PacketCipher cipher_of(const Case& c, Engine engine) {
  auto made = PacketCipher::make(c.suite, c.key, engine);
  REQUIRE(made.has_value());
  return std::move(*made);
}

const Case& first_of(const std::vector<Case>& all, Encryption encryption) {
  return *std::ranges::find_if(all, [&](const Case& c) { return c.suite.encryption == encryption; });
}

constexpr Engine kEngines[] = {Engine::kOpenSsl, Engine::kIpsecMb};

}  // namespace

TEST_CASE("RFC 4106, RFC 7634 A, B, RFC 3602 4, RFC 4303 2.2.1: known packets, sealed and opened by each engine") {
  const auto all = cases();
  REQUIRE(all.size() == 70);
  for (const Engine engine : kEngines) {
    for (const Case& c : all) {
      INFO("engine " << static_cast<int>(engine) << " encryption " << static_cast<int>(c.suite.encryption) << " "
                     << c.plain.size() << " octets");
      PacketCipher cipher = cipher_of(c, engine);
      CHECK(cipher.suite() == c.suite);
      Octets text = c.plain;
      text.resize(c.plain.size() + tag_size(c.suite));
      cipher.seal(c.iv, {c.before, c.after}, text);
      REQUIRE(text == c.sealed);
      REQUIRE(cipher.open(c.iv, {c.before, c.after}, text));
      text.resize(c.plain.size());
      REQUIRE(text == c.plain);
    }
  }
}

TEST_CASE("the engine asked for is the engine taken, where it has the suite") {
#if defined(__x86_64__)
  const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#else
  const bool wide = false;
#endif
  CHECK((best_engine() == Engine::kIpsecMb) == wide);
  for (const Case& c : cases()) {
    const bool fast = wide && c.suite.encryption != Encryption::kAesCbc;
    REQUIRE(cipher_of(c, Engine::kIpsecMb).engine() == (fast ? Engine::kIpsecMb : Engine::kOpenSsl));
    REQUIRE(cipher_of(c, Engine::kOpenSsl).engine() == Engine::kOpenSsl);
  }
}

TEST_CASE("one object serves packet after packet, a forged one between does no harm") {
  const auto all = cases();
  for (const Engine engine : kEngines) {
    for (const Encryption encryption : {Encryption::kAesGcm16, Encryption::kChaCha20Poly1305, Encryption::kAesCbc}) {
      const Case& c = first_of(all, encryption);
      PacketCipher cipher = cipher_of(c, engine), moved = std::move(cipher);
      for (int round = 0; round < 3; ++round) {
        Octets forged = c.sealed, good = c.sealed;
        forged[0] ^= 1;
        CHECK_FALSE(moved.open(c.iv, {c.before, c.after}, forged));
        CHECK(moved.open(c.iv, {c.before, c.after}, good));
      }
    }
  }
}

TEST_CASE("any changed octet of text, tag, IV, or of what is associated is found") {
  for (const Engine engine : kEngines) {
    std::vector<CipherSuite> done;
    for (const Case& c : cases()) {
      if (c.after.empty() == (c.suite.encryption == Encryption::kAesCbc) || c.plain.empty()) continue;
      if (std::ranges::count(done, c.suite) != 0) continue;
      done.push_back(c.suite);
      PacketCipher cipher = cipher_of(c, engine);
      const auto opens = [&](const Case& changed) {
        Octets text = changed.sealed;
        return cipher.open(changed.iv, {changed.before, changed.after}, text);
      };
      CHECK(opens(c));
      for (Octets Case::* part : {&Case::sealed, &Case::iv, &Case::before, &Case::after}) {
        for (std::size_t at = 0; at < (c.*part).size(); ++at) {
          Case changed = c;
          (changed.*part)[at] ^= 0x80;
          REQUIRE_FALSE(opens(changed));
        }
      }
      Case longer = c, shorter = c;
      longer.before.push_back(0);
      shorter.before.pop_back();
      CHECK_FALSE(opens(longer));
      CHECK_FALSE(opens(shorter));
    }
    CHECK(done.size() == 9);
  }
}

TEST_CASE("lengths that cannot be are refused before any work") {
  const auto all = cases();
  for (const Engine engine : kEngines) {
    for (const Case& c : {first_of(all, Encryption::kAesGcm16), first_of(all, Encryption::kAesCbc)}) {
      PacketCipher cipher = cipher_of(c, engine);
      for (std::size_t size = 0; size < c.sealed.size(); ++size) {
        Octets cut(c.sealed.begin(), c.sealed.begin() + static_cast<std::ptrdiff_t>(size));
        REQUIRE_FALSE(cipher.open(c.iv, {c.before, c.after}, cut));
      }
      Octets text = c.sealed;
      CHECK_FALSE(cipher.open(std::span(c.iv).first(c.iv.size() - 1), {c.before, c.after}, text));
      CHECK_FALSE(cipher.open({}, {c.before, c.after}, text));
    }
  }
}

TEST_CASE("RFC 3602 2.4: text that is no multiple of the block is refused although its tag is right") {
  const CipherSuite suite{Encryption::kAesCbc, 128, Integrity::kHmacSha256_128};
  const Octets key(16 + 32, 7), iv(16, 1), header(8, 2);
  auto cipher = PacketCipher::make(suite, key);
  REQUIRE(cipher);
  Octets empty(16);
  cipher->seal(iv, {header, {}}, empty);  // a right tag over no block at all
  CHECK_FALSE(cipher->open(iv, {header, {}}, empty));
}

TEST_CASE("a cipher is made only of a supported suite and a key of the right length") {
  const CipherSuite suite{Encryption::kAesGcm16, 128, Integrity::kNone};
  CHECK(PacketCipher::make(suite, Octets(20)).has_value());
  CHECK_FALSE(PacketCipher::make(suite, Octets(19)).has_value());
  CHECK_FALSE(PacketCipher::make(suite, Octets(21)).has_value());
  CHECK_FALSE(PacketCipher::make(suite, Octets(36)).has_value());
  CHECK_FALSE(PacketCipher::make({Encryption::kAesCbc, 128, Integrity::kNone}, Octets(16)).has_value());
}

TEST_CASE("another key does not open") {
  for (const Engine engine : kEngines) {
    std::vector<CipherSuite> done;
    for (const Case& c : cases()) {
      if (std::ranges::count(done, c.suite) != 0) continue;
      done.push_back(c.suite);
      // the key, the salt, the integrity key: each alone
      for (std::size_t at = 0; at < c.key.size(); at += 4) {
        const bool only_decrypts = c.suite.encryption == Encryption::kAesCbc && at < c.suite.key_bits / 8u;
        if (only_decrypts) continue;
        Case other = c;
        other.key[at] ^= 1;
        Octets text = c.sealed;
        CHECK_FALSE(cipher_of(other, engine).open(c.iv, {c.before, c.after}, text));
      }
    }
  }
}
