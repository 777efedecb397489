// RFC 7383: cut and joined again in any order; duplicates, other totals, forged ones; bounds.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/ike/fragments.h"

using namespace ike_test;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Encryption;
using tunnel::crypto::Integrity;
using tunnel::crypto::PacketCipher;
using Step = Joiner::Step;

namespace {

constexpr CipherSuite kGcm{Encryption::kAesGcm16, 256, Integrity::kNone};
constexpr CipherSuite kCbc{Encryption::kAesCbc, 256, Integrity::kHmacSha512_256};
const Header kAuth{.initiator_spi = 1, .responder_spi = 2, .exchange = Exchange::kAuth, .message_id = 1};

PacketCipher cipher(const CipherSuite& suite) {
  return std::move(*PacketCipher::make(suite, Octets(tunnel::crypto::key_sizes(suite).total(), 3)));
}

Octets pattern(std::size_t size) {
  Octets octets(size);
  CountingRng().fill(octets);
  return octets;
}

std::vector<Octets> cut(const CipherSuite& suite, const Octets& octets, std::size_t limit) {
  SendingCipher sender{cipher(suite), 0};
  CountingRng rng;
  auto datagrams = seal_message(kAuth, {PayloadType::kIdInitiator, octets}, limit, sender, rng);
  return datagrams ? *datagrams : std::vector<Octets>{};
}

struct Receiver {
  explicit Receiver(const CipherSuite& suite) : opens(cipher(suite)) {}
  PacketCipher opens;
  Joiner joiner;

  Step take(Octets datagram, std::uint32_t message_id = 1) {
    const auto payloads = parse_message(datagram, *read_header(datagram));
    if (!payloads || !joiner.wants(message_id, peek_fragment(*payloads).value_or(FragmentHeader{0, 0}))) {
      return Step::kIgnored;
    }
    const auto opened = open(datagram, *payloads, opens);
    return opened ? joiner.add(message_id, *opened) : Step::kIgnored;
  }
};

Opened piece(std::uint16_t number, std::uint16_t total, const Octets& octets) {
  return {{PayloadType::kIdInitiator, octets}, FragmentHeader{number, total}};
}

}  // namespace

// RFC 7383 2.5: each fragment sealed by itself, the first payload's type in the first.
TEST_CASE("cut and joined, in order and backwards") {
  for (const CipherSuite& suite : {kGcm, kCbc}) {
    for (const std::size_t size : {500u, 1199u, 1200u, 1201u, 5000u}) {
      const Octets whole = pattern(size);
      const std::size_t limit = 400;
      auto datagrams = cut(suite, whole, limit);
      REQUIRE(datagrams.size() > 1);
      for (const Octets& d : datagrams) CHECK(d.size() <= limit);
      for (const bool backwards : {false, true}) {
        if (backwards) std::ranges::reverse(datagrams);
        Receiver receiver(suite);
        for (std::size_t i = 0; i + 1 < datagrams.size(); ++i) CHECK(receiver.take(datagrams[i]) == Step::kKept);
        CHECK(receiver.take(datagrams.back()) == Step::kComplete);
        CHECK(receiver.joiner.content().first == PayloadType::kIdInitiator);
        CHECK(copy(receiver.joiner.content().octets) == whole);
      }
    }
  }
}

TEST_CASE("what fits is not cut, and without the peer's consent nothing is") {
  SendingCipher sender{cipher(kGcm), 0};
  CountingRng rng;
  const Octets octets = pattern(1000);
  const std::size_t whole = sealed_size(kGcm, 1000, false);
  CHECK(seal_message(kAuth, {PayloadType::kVendor, octets}, whole, sender, rng)->size() == 1);
  CHECK(seal_message(kAuth, {PayloadType::kVendor, octets}, whole - 1, sender, rng)->size() == 2);
  CHECK(seal_message(kAuth, {PayloadType::kVendor, octets}, std::nullopt, sender, rng)->size() == 1);
  CHECK_FALSE(seal_message(kAuth, {PayloadType::kVendor, octets}, 60, sender, rng));
  CHECK_FALSE(seal_message(kAuth, {PayloadType::kVendor, Octets(65536)}, std::nullopt, sender, rng));
  // RFC 7383 2.5.1: at most 64 of them here.
  CHECK(cut(kGcm, pattern(64 * 39), 100).size() == 64);
  CHECK(cut(kGcm, pattern(64 * 39 + 1), 100).empty());
}

TEST_CASE("every limit gives datagrams within it") {
  for (const CipherSuite& suite : {kGcm, kCbc}) {
    for (std::size_t limit = 120; limit < 400; ++limit) {
      const auto datagrams = cut(suite, pattern(700), limit);
      REQUIRE_FALSE(datagrams.empty());
      Receiver receiver(suite);
      Step last = Step::kIgnored;
      for (const Octets& d : datagrams) {
        CHECK(d.size() <= limit);
        last = receiver.take(d);
      }
      CHECK(last == Step::kComplete);
    }
  }
}

TEST_CASE("forged, repeated and useless fragments change nothing") {
  const auto datagrams = cut(kGcm, pattern(900), 400);
  REQUIRE(datagrams.size() == 3);
  Receiver receiver(kGcm);
  Octets forged = datagrams[1];
  forged.back() ^= 1;
  CHECK(receiver.take(forged) == Step::kIgnored);
  CHECK(receiver.joiner.octets() == 0);
  CHECK(receiver.take(datagrams[0]) == Step::kKept);
  CHECK(receiver.take(datagrams[0]) == Step::kIgnored);
  CHECK(receiver.take(datagrams[2]) == Step::kKept);
  CHECK(receiver.take(forged) == Step::kIgnored);
  CHECK(receiver.take(datagrams[1]) == Step::kComplete);
  CHECK(copy(receiver.joiner.content().octets) == pattern(900));
}

TEST_CASE("numbers out of range are not even opened") {
  Joiner joiner;
  CHECK(joiner.wants(1, {1, 1}));
  CHECK(joiner.wants(1, {64, 64}));
  CHECK_FALSE(joiner.wants(1, {0, 1}));
  CHECK_FALSE(joiner.wants(1, {0, 0}));
  CHECK_FALSE(joiner.wants(1, {1, 0}));
  CHECK_FALSE(joiner.wants(1, {2, 1}));
  CHECK_FALSE(joiner.wants(1, {1, 65}));
  CHECK_FALSE(joiner.wants(1, {65535, 65535}));
  CHECK(joiner.add(1, piece(3, 2, {1})) == Step::kIgnored);
  CHECK(joiner.add(1, {{}, std::nullopt}) == Step::kIgnored);
}

TEST_CASE("a larger total begins afresh, a smaller one is ignored") {
  // RFC 7383 2.6: the peer found the path narrower and cut again.
  Joiner joiner;
  CHECK(joiner.add(1, piece(1, 2, {1, 1, 1})) == Step::kKept);
  CHECK(joiner.add(1, piece(2, 3, {2})) == Step::kKept);
  CHECK(joiner.octets() == 1);
  CHECK(joiner.add(1, piece(2, 2, {9, 9})) == Step::kIgnored);
  CHECK(joiner.add(1, piece(1, 3, {1})) == Step::kKept);
  CHECK(joiner.add(1, piece(3, 3, {3})) == Step::kComplete);
  CHECK(copy(joiner.content().octets) == Octets{1, 2, 3});
}

TEST_CASE("another message begins afresh") {
  Joiner joiner;
  CHECK(joiner.add(1, piece(1, 2, {1})) == Step::kKept);
  CHECK(joiner.add(2, piece(2, 2, {4})) == Step::kKept);
  CHECK(joiner.add(2, piece(1, 2, {3})) == Step::kComplete);
  CHECK(copy(joiner.content().octets) == Octets{3, 4});
  joiner.clear();
  CHECK(joiner.add(3, piece(1, 1, {7})) == Step::kComplete);
  CHECK(copy(joiner.content().octets) == Octets{7});
}

TEST_CASE("an authenticated peer cannot fill the memory") {
  Joiner joiner;
  const Octets large(2000);
  for (std::uint16_t number = 1; number <= 64; ++number) {
    CHECK(joiner.add(1, piece(number, 64, large)) != Step::kComplete);
    CHECK(joiner.octets() <= kMaximumJoined);
  }
}
