// ESP in tunnel mode, RFC 4303: what is sealed opens, and nothing else does.
#include <catch2/catch.hpp>

#include "tests/tunnel/esp_support.h"
#include "tests/vectors/hex.h"
#include "tunnel/crypto/packet_cipher.h"

using namespace esp_support;
using vectors::hex;

namespace {

// An authenticated packet over any text, as only the peer could make it.
Octets sealed_text(SaPair& pair, Octets text, std::uint32_t sequence = 1) {
  const CipherSuite& suite = pair.suite;
  Octets packet = {1, 2, 3, 4, 0, 0, 0, static_cast<std::uint8_t>(sequence)};
  packet.resize(kHeaderSize + tunnel::crypto::explicit_iv_size(suite), 9);
  const Octets iv(packet.begin() + kHeaderSize, packet.end()), header(packet.begin(), packet.begin() + kHeaderSize);
  text.resize(text.size() + tunnel::crypto::tag_size(suite));
  tunnel::crypto::PacketCipher::make(suite, pair.key)->seal(iv, {header, {}}, text);
  packet.insert(packet.end(), text.begin(), text.end());
  return packet;
}

// inner | more | 1..pad | pad length | next header
Octets text_of(Octets inner, std::size_t pad, std::uint8_t next_header) {
  for (std::size_t i = 1; i <= pad; ++i) inner.push_back(static_cast<std::uint8_t>(i));
  inner.push_back(static_cast<std::uint8_t>(pad));
  inner.push_back(next_header);
  return inner;
}

}  // namespace

TEST_CASE("RFC 4303 2: every suite carries IPv4 and IPv6 of every length, with and without ESN") {
  for (const CipherSuite& suite : kSuites) {
    for (const bool extended : {false, true}) {
      SaPair pair(suite, extended);
      for (std::size_t size = 40; size < 120; ++size) {
        for (const Octets& inner : {inner_v4(size), inner_v6(size)}) {
          const Octets packet = pair.seal(inner);
          REQUIRE(packet.size() == sealed_size(suite, size));
          REQUIRE((packet.size() - 8) % 4 == 0);
          Octets out;
          REQUIRE_FALSE(pair.open(packet, &out).has_value());
          REQUIRE(out == inner);
        }
      }
      CHECK(pair.in.use().packets == 160);
      CHECK(pair.out.use().packets == 160);
      CHECK(pair.in.use().bytes == pair.out.use().bytes);
      CHECK(pair.in.highest() == 160);
    }
  }
}

TEST_CASE("largest_inner is what still fits") {
  for (const CipherSuite& suite : kSuites) {
    for (std::size_t room = 0; room < 1600; ++room) {
      const std::size_t inner = largest_inner(suite, room);
      REQUIRE((inner == 0 || sealed_size(suite, inner) <= room));
      REQUIRE(sealed_size(suite, inner + 1) > room);
    }
  }
}

TEST_CASE("RFC 7634 A: the published ESP packet opens, once") {
  SaPair pair({Encryption::kChaCha20Poly1305, 256, Integrity::kNone});
  pair.key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3");
  pair.in = *InboundSa::make(pair.params());
  const Octets packet =
      hex("0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d528"
          "44eb61"
          "aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0"
          "f7b11b"
          "369907e1ad43");
  Octets inner;
  REQUIRE_FALSE(pair.open(packet, &inner).has_value());
  CHECK(inner ==
        hex("45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415"
            "161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"));
  CHECK(pair.open(packet) == Drop::kReplay);
}

TEST_CASE("RFC 4106 3.1, RFC 3602 3: the IV of a combined mode counts, that of CBC is drawn") {
  for (const CipherSuite& suite : kSuites) {
    SaPair pair(suite);
    const Octets one = pair.seal(inner_v4(40)), two = pair.seal(inner_v4(40));
    const auto iv = [&](const Octets& packet) {
      return Octets(packet.begin() + 8,
                    packet.begin() + 8 + static_cast<long>(tunnel::crypto::explicit_iv_size(suite)));
    };
    if (suite.encryption == Encryption::kAesCbc) {
      CountingRng same;
      Octets first(16), second(16);
      same.fill(first), same.fill(second);
      CHECK(iv(one) == first);
      CHECK(iv(two) == second);
    } else {
      CHECK(iv(one) == Octets{0, 0, 0, 0, 0, 0, 0, 1});
      CHECK(iv(two) == Octets{0, 0, 0, 0, 0, 0, 0, 2});
    }
  }
}

TEST_CASE("a changed octet anywhere is refused, and moves no window") {
  for (const CipherSuite& suite : kSuites) {
    SaPair pair(suite, true);
    const Octets packet = pair.seal(inner_v4(40));
    for (std::size_t at = 4; at < packet.size(); ++at) {
      Octets changed = packet;
      changed[at] ^= 0x20;
      const auto refused = pair.open(changed);
      REQUIRE(refused == Drop::kForged);
    }
    CHECK(pair.in.highest() == 0);
    CHECK(pair.in.use().packets == 0);
    CHECK_FALSE(pair.open(packet).has_value());
  }
}

TEST_CASE("a cut packet is refused, whatever is cut") {
  for (const CipherSuite& suite : kSuites) {
    SaPair pair(suite);
    const Octets packet = pair.seal(inner_v4(40));
    const std::size_t least = kHeaderSize + tunnel::crypto::explicit_iv_size(suite) + tunnel::crypto::tag_size(suite);
    for (std::size_t size = 4; size < packet.size(); ++size) {
      const Octets cut(packet.begin(), packet.begin() + static_cast<long>(size));
      REQUIRE(pair.open(cut) == (size < least ? Drop::kMalformed : Drop::kForged));
    }
    Octets longer = packet;
    longer.push_back(0);
    CHECK(pair.open(longer) == Drop::kForged);
  }
}

TEST_CASE("the other mode of sequence numbers is found: ESN's high half is authenticated") {
  for (const CipherSuite& suite : kSuites) {
    SaPair plain(suite, false), extended(suite, true);
    CHECK(extended.open(plain.seal(inner_v4(40))) == Drop::kForged);
    CHECK(plain.open(extended.seal(inner_v4(40))) == Drop::kForged);
  }
}

TEST_CASE("RFC 4303 2.4: padding that does not count up is refused although authenticated") {
  SaPair pair;
  std::uint32_t sequence = 0;
  const auto open = [&](const Octets& text) { return pair.open(sealed_text(pair, text, ++sequence)); };
  CHECK_FALSE(open(text_of(inner_v4(40), 2, kIpv4)).has_value());
  CHECK_FALSE(open(text_of(inner_v4(40), 255, kIpv4)).has_value());
  for (const std::size_t at : {40u, 41u, 45u}) {
    Octets wrong = text_of(inner_v4(40), 6, kIpv4);
    wrong[at] ^= 1;
    CHECK(open(wrong) == Drop::kInnerMalformed);
  }
  Octets beyond = text_of({}, 0, kIpv4);
  beyond[0] = 1;
  CHECK(open(beyond) == Drop::kInnerMalformed);
  CHECK(open({kIpv4}) == Drop::kInnerMalformed);
  CHECK(open({}) == Drop::kInnerMalformed);
  CHECK(open(text_of({}, 0, kIpv4)) == Drop::kInnerMalformed);
  CHECK(open(text_of({}, 20, kIpv4)) == Drop::kInnerMalformed);
}

TEST_CASE("RFC 4303 2.6: only IPv4 as 4 and IPv6 as 41 come out; 59 is a dummy") {
  for (int next_header = 0; next_header < 256; ++next_header) {
    const auto number = static_cast<std::uint8_t>(next_header);
    for (const bool v4 : {true, false}) {
      SaPair fresh;
      Octets inner;
      const auto refused = fresh.open(sealed_text(fresh, text_of(v4 ? inner_v4(40) : inner_v6(40), 2, number)), &inner);
      const bool carried = number == (v4 ? kIpv4 : kIpv6), accepted = carried || number == kDummy;
      REQUIRE(refused == (accepted ? std::nullopt : std::optional(Drop::kInnerMalformed)));
      if (accepted) CHECK(inner.size() == (carried ? 40u : 0u));
    }
  }
  SaPair pair;
  CHECK(pair.open(sealed_text(pair, text_of(inner_v6(60), 2, kIpv4), 1)) == Drop::kInnerMalformed);
  CHECK(pair.open(sealed_text(pair, text_of(inner_v4(60), 2, kIpv6), 2)) == Drop::kInnerMalformed);
  CHECK_FALSE(pair.open(sealed_text(pair, text_of(inner_v6(60), 2, kIpv6), 3)).has_value());
}

TEST_CASE("RFC 4303 2.7: TFC padding is cut at the inner length; a longer inner length is refused") {
  SaPair pair;
  Octets with_tfc = inner_v4(40), inner;
  with_tfc.resize(300, 0xee);
  REQUIRE_FALSE(pair.open(sealed_text(pair, text_of(with_tfc, 2, kIpv4), 1), &inner).has_value());
  CHECK(inner == inner_v4(40));
  Octets short_of = inner_v4(40);
  short_of.pop_back();
  CHECK(pair.open(sealed_text(pair, text_of(short_of, 3, kIpv4), 2)) == Drop::kInnerMalformed);
  Octets no_header(19, 0x45);
  CHECK(pair.open(sealed_text(pair, text_of(no_header, 3, kIpv4), 3)) == Drop::kInnerMalformed);
}

TEST_CASE("what is no IP packet is not sealed and uses no sequence number") {
  SaPair pair;
  CountingRng rng;
  for (const Octets& inner : {Octets{}, Octets{0x55, 0, 0}, Octets{0x00}, Octets(40, 0x7f)}) {
    Octets packet(sealed_size(pair.suite, inner.size()));
    CHECK(pair.out.seal(inner, packet, rng) == OutboundSa::Outcome::kNotInner);
  }
  CHECK(pair.out.sent() == 0);
}

TEST_CASE("RFC 4303 2.1: no SA with a reserved SPI, an unknown suite or a key of a wrong length") {
  SaPair pair;
  for (const std::uint32_t spi : {0u, 1u, 255u}) {
    SaParams params = pair.params();
    params.spi = spi;
    CHECK_FALSE(OutboundSa::make(params).has_value());
    CHECK_FALSE(InboundSa::make(params).has_value());
  }
  SaParams params = pair.params();
  params.spi = 256;
  CHECK(OutboundSa::make(params).has_value());
  CHECK(InboundSa::make(params).has_value());
  params.key = params.key.first(35);
  CHECK_FALSE(OutboundSa::make(params).has_value());
  CHECK_FALSE(InboundSa::make(params).has_value());
}
