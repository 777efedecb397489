// Sequence numbers of ESP: the window, replays, ESN across 2^32 (RFC 4303 3.3.3, 3.4.3, A2), and their end.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

#include "tests/tunnel/esp_support.h"

using namespace esp_support;

namespace {

constexpr std::uint64_t kW = InboundSa::kWindow;
constexpr std::uint64_t k2To32 = std::uint64_t{1} << 32;
constexpr auto kFine = std::optional<Drop>();

}  // namespace

TEST_CASE("the window is at least 2048 numbers wide") {
  CHECK(kW >= 2048);
}

TEST_CASE("RFC 4303 3.3.3: the first number is 1, and 0 is never accepted") {
  SaPair pair;
  CHECK(pair.out.sent() == 0);
  const Octets first = pair.seal(inner_v4(40));
  CHECK(Octets(first.begin() + 4, first.begin() + 8) == Octets{0, 0, 0, 1});
  Octets zero = first;
  zero[7] = 0;
  CHECK(pair.open(zero) == Drop::kReplay);
  CHECK(pair.open(first) == kFine);
}

TEST_CASE("RFC 4303 3.4.3: each number once, to the far edge of the window and no further") {
  for (const bool extended : {false, true}) {
    SaPair pair(kSuites[1], extended);
    CHECK(pair.receive(kW + 100) == kFine);
    CHECK(pair.receive(kW + 100) == Drop::kReplay);
    CHECK(pair.receive(101) == kFine);  // the lowest of the window
    CHECK(pair.receive(101) == Drop::kReplay);
    CHECK(pair.receive(100) != kFine);  // one below; ESN takes it for one of the next 2^32, which it is not
    CHECK(pair.receive(kW + 101) == kFine);
    CHECK(pair.receive(101) != kFine);
    CHECK(pair.receive(102) == kFine);
    CHECK(pair.in.highest() == kW + 101);
  }
}

TEST_CASE("a whole window received backwards, then again") {
  SaPair pair;
  for (std::uint64_t n = kW; n >= 1; --n) REQUIRE(pair.receive(n) == kFine);
  for (std::uint64_t n = 1; n <= kW; n += 97) REQUIRE(pair.receive(n) == Drop::kReplay);
  CHECK(pair.in.use().packets == kW);
}

TEST_CASE("a forged packet far ahead does not move the window") {
  for (const bool extended : {false, true}) {
    SaPair pair(kSuites[1], extended);
    CHECK(pair.receive(5) == kFine);
    Octets forged = pair.numbered(1'000'000);
    forged.back() ^= 1;
    CHECK(pair.open(forged) == Drop::kForged);
    CHECK(pair.in.highest() == 5);
    CHECK(pair.receive(4) == kFine);
  }
}

TEST_CASE("a forged copy does not use up its number") {
  SaPair pair;
  Octets forged = pair.numbered(7);
  forged.back() ^= 1;
  CHECK(pair.open(forged) == Drop::kForged);
  CHECK(pair.receive(7) == kFine);
}

TEST_CASE("RFC 4303 3.4.3: a replay is refused before its ICV is looked at") {
  SaPair pair;
  CHECK(pair.receive(7) == kFine);
  Octets forged = pair.numbered(7);
  forged.back() ^= 1;
  CHECK(pair.open(forged) == Drop::kReplay);
}

TEST_CASE("RFC 4303 3.3.3: after the last number nothing leaves, ever; it never starts again") {
  for (const bool extended : {false, true}) {
    SaPair pair(kSuites[1], extended);
    const std::uint64_t last = extended ? UINT64_MAX : UINT32_MAX;
    OutboundSa sa = pair.sender(last - 2);
    CHECK(sa.left() == 2);
    CHECK_FALSE(pair.seal_with(sa, inner_v4(40)).empty());
    CHECK_FALSE(pair.seal_with(sa, inner_v4(40)).empty());
    CHECK(sa.left() == 0);
    for (int i = 0; i < 3; ++i) {
      Octets packet(sealed_size(pair.suite, 40), 0xcc);
      CHECK(sa.seal(inner_v4(40), packet, pair.rng) == OutboundSa::Outcome::kExhausted);
      CHECK(packet == Octets(packet.size(), 0xcc));  // nothing was written
    }
    CHECK(sa.sent() == last);
    CHECK(sa.use().packets == 2);
  }
  SaPair pair;
  CHECK(pair.sender(UINT64_MAX).left() == 0);  // more than there are is not a fresh start
}

TEST_CASE("without ESN the last number is received and nothing comes after it") {
  SaPair pair;
  CHECK(pair.receive(UINT32_MAX - 1) == kFine);
  CHECK(pair.receive(UINT32_MAX) == kFine);
  CHECK(pair.receive(1) == Drop::kReplay);
  CHECK(pair.receive(UINT32_MAX) == Drop::kReplay);
}

TEST_CASE("RFC 4303 A2: ESN across 2^32, in order") {
  for (const CipherSuite& suite : kSuites) {
    SaPair pair(suite, true);
    REQUIRE(pair.receive(1u << 31) == kFine);
    OutboundSa sa = pair.sender(k2To32 - 100);
    for (int i = 0; i < 200; ++i) REQUIRE(pair.open(pair.seal_with(sa, inner_v4(40))) == kFine);
    CHECK(pair.in.highest() == k2To32 + 100);
    CHECK(pair.receive(k2To32 - 100) == kFine);  // late ones from before
    CHECK(pair.receive(k2To32 - 99) == Drop::kReplay);
    CHECK(pair.receive(k2To32) == Drop::kReplay);
    CHECK(pair.receive(k2To32 + 100) == Drop::kReplay);
  }
}

TEST_CASE("RFC 4303 A2.2: both cases of the window at 2^32, at their very edges") {
  SaPair pair({kSuites[1]}, true);
  REQUIRE(pair.receive(1u << 31) == kFine);
  REQUIRE(pair.receive(k2To32 + kW - 2) == kFine);  // Tl = W-2: the window begins in the last number of before
  CHECK(pair.receive(k2To32 - 1) == kFine);
  CHECK(pair.receive(k2To32 - 2) == Drop::kForged);  // taken for the one 2^32 later
  CHECK(pair.receive(k2To32) == kFine);
  REQUIRE(pair.receive(k2To32 + kW - 1) == kFine);  // Tl = W-1: it begins at 2^32 itself
  CHECK(pair.receive(k2To32 - 1) == Drop::kForged);
  CHECK(pair.receive(k2To32) == Drop::kReplay);
  CHECK(pair.receive(k2To32 + 1) == kFine);
}

TEST_CASE("RFC 4303 A2.2: a jump just short of 2^32 is followed, a longer one is not") {
  SaPair pair({kSuites[1]}, true);
  REQUIRE(pair.receive(10'000) == kFine);
  REQUIRE(pair.receive(k2To32 + 10'000 - kW) == kFine);
  CHECK(pair.receive(10'000 + 2 * k2To32) == Drop::kForged);
}

TEST_CASE("ESN: a number from before the first packet of the SA is refused unopened") {
  SaPair pair({kSuites[1]}, true);
  REQUIRE(pair.receive(5) == kFine);
  CHECK(pair.receive(UINT32_MAX) == Drop::kReplay);
  SaPair last({kSuites[1]}, true);
  CHECK(last.in.highest() == 0);
}

TEST_CASE("ESN: an old packet with its low half replayed 2^32 later is forged") {
  SaPair pair({kSuites[1]}, true);
  const Octets old = pair.numbered(20'000);
  REQUIRE(pair.open(old) == kFine);
  REQUIRE(pair.receive(1u << 31) == kFine);
  REQUIRE(pair.receive(k2To32 - 1) == kFine);
  REQUIRE(pair.receive(k2To32 + 19'999) == kFine);
  CHECK(pair.open(old) == Drop::kForged);
  CHECK(pair.receive(k2To32 + 20'000) == kFine);
}

TEST_CASE("lost, reordered, repeated and forged packets around 2^32 agree with a naive set") {
  for (const std::uint64_t start : {std::uint64_t{1}, k2To32 - 15'000, 3 * k2To32 - 15'000}) {
    SaPair pair({kSuites[2]}, true);
    if (start > 1) {
      for (std::uint64_t n = 1u << 31; n < start; n += 1u << 31) REQUIRE(pair.receive(n) == kFine);
    }
    std::mt19937_64 random(start);
    std::set<std::uint64_t> seen;
    std::uint64_t highest = start > 1 ? pair.in.highest() : 0, sent = start;
    for (int i = 0; i < 20'000; ++i) {
      sent += random() % 3;
      const std::uint64_t back = random() % 40 == 0 ? random() % (kW + 200) : random() % 50;
      const std::uint64_t n = sent > back + 1 ? sent - back : 1;
      Octets packet = pair.numbered(n);
      if (random() % 10 == 0) {
        packet[packet.size() - 1 - random() % 50] ^= 4;
        REQUIRE(pair.open(packet) != kFine);
        continue;
      }
      const bool fresh = !seen.contains(n) && n + kW > highest;
      INFO("number " << n << ", highest " << highest);
      REQUIRE((pair.open(packet) == kFine) == fresh);
      if (fresh) seen.insert(n);
      if (fresh) highest = std::max(highest, n);
    }
    CHECK(pair.in.highest() == highest);
    CHECK(pair.in.highest() > start + 15'000);
  }
}
