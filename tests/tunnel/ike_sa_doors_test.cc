// What stands before an IKE SA: cookies, admission, NAT detection, message-ID windows.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/ike/admission.h"
#include "tunnel/ike/cookie.h"
#include "tunnel/ike/nat_detection.h"
#include "tunnel/ike/window.h"
#include "tunnel/ike/work.h"

using namespace std::chrono_literals;
using namespace tunnel;
using wire::Instant;
using wire::IpAddress;
using Octets = std::vector<std::uint8_t>;
using CookieVerdict = ike::Admission::Verdict;

namespace {

constexpr Instant kStart{1000s};

IpAddress address(const std::string& text) {
  return *IpAddress::parse(text);
}

// Nothing is bounded but what a test sets.
ike::AdmissionLimits open_doors() {
  ike::AdmissionLimits limits;
  limits.cookies_from = limits.cookies_from_source = SIZE_MAX;
  limits.most = limits.most_of_source = limits.most_of_network = SIZE_MAX;
  limits.cookies_from_rate = limits.work = limits.rate_of_source = UINT32_MAX;
  return limits;
}

// Of a network of its own.
IpAddress stranger(int number) {
  return address("198." + std::to_string(number / 250) + "." + std::to_string(number % 250) + ".1");
}

}  // namespace

// RFC 7296 2.6.
TEST_CASE("a cookie is good for who asked, for a while, and for nobody else") {
  sim::SeededRng rng(1);
  ike::CookieMint mint(rng);
  const Octets nonce(32, 7), other_nonce(32, 8);
  const ike::CookieMint::Asker asker{address("192.0.2.1"), 42, nonce};
  const auto cookie = mint.make(asker, kStart);
  CHECK(mint.good(cookie, asker, kStart));
  CHECK_FALSE(mint.good(cookie, {address("192.0.2.2"), 42, nonce}, kStart));
  CHECK_FALSE(mint.good(cookie, {address("192.0.2.1"), 43, nonce}, kStart));
  CHECK_FALSE(mint.good(cookie, {address("192.0.2.1"), 42, other_nonce}, kStart));
  CHECK_FALSE(mint.good(wire::ConstBytes(cookie).first(16), asker, kStart));
  CHECK_FALSE(mint.good({}, asker, kStart));
  for (std::size_t i = 0; i < cookie.size(); ++i) {
    auto forged = cookie;
    forged[i] ^= 1;
    CHECK_FALSE(mint.good(forged, asker, kStart));
  }
}

TEST_CASE("a cookie outlives one change of the secret, not two, and not its time") {
  sim::SeededRng rng(1);
  ike::CookieMint mint(rng);
  const Octets nonce(32, 7);
  const ike::CookieMint::Asker asker{address("2001:db8::1"), 42, nonce};
  const auto cookie = mint.make(asker, kStart);
  const auto second = mint.make(asker, kStart + 60s);
  CHECK(second != cookie);
  CHECK(mint.good(cookie, asker, kStart + 119s));
  CHECK_FALSE(mint.good(cookie, asker, kStart + 120s));
  CHECK(mint.good(second, asker, kStart + 120s));
  (void)mint.make(asker, kStart + 121s);
  CHECK_FALSE(mint.good(cookie, asker, kStart + 121s));
  CHECK(mint.good(second, asker, kStart + 121s));
}

// RFC 8019 4.2.
TEST_CASE("one source gets a few half-open SAs, then cookies, then nothing; others are not touched") {
  sim::SeededRng rng(1);
  ike::Admission admission({}, rng);
  const auto source = address("198.51.100.7");
  for (int i = 0; i < 3; ++i) CHECK(admission.judge(source, false, kStart) == CookieVerdict::kAccept);
  CHECK(admission.judge(source, false, kStart) == CookieVerdict::kAskCookie);
  for (int i = 0; i < 2; ++i) CHECK(admission.judge(source, true, kStart) == CookieVerdict::kAccept);
  CHECK(admission.judge(source, true, kStart) == CookieVerdict::kRefuse);
  CHECK(admission.judge(address("198.51.100.8"), false, kStart) == CookieVerdict::kAccept);
  admission.closed(source);
  CHECK(admission.judge(source, true, kStart) == CookieVerdict::kAccept);
  CHECK(admission.half_open() == 6);
}

// RFC 8019 4.2: each bound alone, with all others open.
TEST_CASE("half-open SAs of all together have a bound that no cookie opens") {
  sim::SeededRng rng(1);
  auto limits = open_doors();
  limits.most = 3;
  ike::Admission admission(limits, rng);
  for (int i = 0; i < 3; ++i) CHECK(admission.judge(stranger(i), false, kStart) == CookieVerdict::kAccept);
  CHECK(admission.judge(stranger(3), true, kStart + 10s) == CookieVerdict::kRefuse);
  admission.closed(stranger(1));
  CHECK(admission.judge(stranger(3), true, kStart + 10s) == CookieVerdict::kAccept);

  ike::Admission usual({}, rng);
  std::size_t accepted = 0;
  for (int i = 0; i < 1100; ++i)
    accepted += usual.judge(stranger(i), true, kStart + i * 10ms) == CookieVerdict::kAccept;
  CHECK(accepted == 1024);
}

TEST_CASE("from so many half-open SAs of all together on everybody is asked for a cookie") {
  sim::SeededRng rng(1);
  auto limits = open_doors();
  limits.cookies_from = 2;
  ike::Admission admission(limits, rng);
  for (int i = 0; i < 2; ++i) CHECK(admission.judge(stranger(i), false, kStart) == CookieVerdict::kAccept);
  CHECK(admission.judge(stranger(2), false, kStart + 10s) == CookieVerdict::kAskCookie);
  CHECK(admission.judge(stranger(2), true, kStart + 10s) == CookieVerdict::kAccept);
}

TEST_CASE("a source with half-open SAs of before, or with many that ended in this second, is asked for a cookie") {
  for (const bool ended : {false, true}) {
    sim::SeededRng rng(1);
    auto limits = open_doors();
    limits.cookies_from_source = 3;
    ike::Admission admission(limits, rng);
    for (int i = 0; i < 3; ++i) {
      CHECK(admission.judge(stranger(0), false, kStart) == CookieVerdict::kAccept);
      if (ended) admission.closed(stranger(0));
    }
    const auto later = ended ? kStart + 999ms : kStart + 10s;
    CHECK(admission.judge(stranger(0), false, later) == CookieVerdict::kAskCookie);
    CHECK(admission.judge(stranger(0), true, later) == CookieVerdict::kAccept);
    CHECK(admission.judge(stranger(1), false, later) == CookieVerdict::kAccept);
    if (ended) CHECK(admission.judge(stranger(0), false, kStart + 1s) == CookieVerdict::kAccept);
  }
}

TEST_CASE("a flood of first messages is answered with cookies in its second and in the next, and then no longer") {
  for (const bool again : {true, false}) {
    sim::SeededRng rng(1);
    auto limits = open_doors();
    limits.cookies_from_rate = 50;
    ike::Admission admission(limits, rng);
    for (int i = 0; i < 50; ++i) CHECK(admission.judge(stranger(i), false, kStart) == CookieVerdict::kAccept);
    CHECK(admission.judge(stranger(50), false, kStart) == CookieVerdict::kAskCookie);
    CHECK(admission.judge(stranger(50), true, kStart) == CookieVerdict::kAccept);
    if (again) CHECK(admission.judge(stranger(51), false, kStart + 1s) == CookieVerdict::kAskCookie);
    CHECK(admission.judge(stranger(52), false, kStart + 2s) == CookieVerdict::kAccept);
  }
}

TEST_CASE("half-open SAs of one source, and of one network, have a bound that no cookie opens") {
  for (const bool network : {true, false}) {
    sim::SeededRng rng(1);
    auto limits = open_doors();
    (network ? limits.most_of_network : limits.most_of_source) = 2;
    ike::Admission admission(limits, rng);
    const auto from = [&](int host) { return address("198.51.100." + std::to_string(network ? host : 1)); };
    for (int host = 1; host <= 2; ++host) CHECK(admission.judge(from(host), true, kStart) == CookieVerdict::kAccept);
    CHECK(admission.judge(from(3), true, kStart + 10s) == CookieVerdict::kRefuse);
    CHECK(admission.judge(stranger(1), true, kStart + 10s) == CookieVerdict::kAccept);
  }
}

TEST_CASE("a network of sources is limited as a whole, of both families") {
  for (const std::string& format : {std::string("198.51.100."), std::string("2001:db8:5:")}) {
    sim::SeededRng rng(1);
    ike::Admission admission({}, rng);
    std::size_t accepted = 0;
    for (int host = 1; host < 200; ++host) {
      const auto source = address(format + std::to_string(host) + (format.back() == ':' ? "::1" : ""));
      accepted += admission.judge(source, true, kStart) == CookieVerdict::kAccept;
    }
    CHECK(accepted == 50);
    CHECK(admission.judge(address("203.0.113.1"), true, kStart) == CookieVerdict::kAccept);
  }
}

// Data does not wait for handshakes: 16 units are one MODP-4096.
TEST_CASE("key exchanges of all together are weighed, and a second has no more than its share") {
  for (const std::uint32_t work : {1u, 16u}) {
    sim::SeededRng rng(1);
    ike::Admission admission({}, rng);
    for (const auto second : {kStart, kStart + 1s}) {
      std::uint32_t accepted = 0;
      for (int i = 0; i < 1500; ++i) {
        const auto source = address("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1");
        const bool good = admission.judge(source, true, second, work) == CookieVerdict::kAccept;
        if (good) ++accepted, admission.closed(source);
      }
      CHECK(accepted == 1000 / work);
    }
  }
  CHECK(ike::work_of(tunnel::crypto::Group::kModp4096) == 16);
  CHECK(ike::work_of(tunnel::crypto::Group::kEcp384) == 1);
}

TEST_CASE("addresses of one IPv6 /64 are one source") {
  sim::SeededRng rng(1);
  ike::Admission admission({}, rng);
  for (int host = 1; host <= 5; ++host)
    CHECK(admission.judge(address("2001:db8::" + std::to_string(host)), true, kStart) == CookieVerdict::kAccept);
  CHECK(admission.judge(address("2001:db8::77"), true, kStart) == CookieVerdict::kRefuse);
}

TEST_CASE("a flood without cookies leaves nothing behind") {
  sim::SeededRng rng(1);
  ike::Admission admission({}, rng);
  Instant now = kStart;
  std::size_t accepted = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i, now += 50us) {
    const auto source = IpAddress::v4(
        {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i >> 16), 1});
    accepted += admission.judge(source, false, now) == CookieVerdict::kAccept;
  }
  CHECK(accepted <= 50);
  CHECK(admission.loaded());
  CHECK(admission.lifetime() == 5s);
  CHECK(admission.remembered() <= 200);
  CHECK(admission.judge(address("203.0.113.9"), false, now) == CookieVerdict::kAskCookie);
  CHECK(admission.judge(address("203.0.113.9"), true, now) == CookieVerdict::kAccept);
}

TEST_CASE("a source that fails again and again is slowed down, and the next second is a new one") {
  sim::SeededRng rng(1);
  ike::Admission admission({}, rng);
  const auto source = address("198.51.100.7");
  std::size_t accepted = 0;
  for (int i = 0; i < 100; ++i) {
    if (admission.judge(source, true, kStart) != CookieVerdict::kAccept) continue;
    ++accepted;
    admission.closed(source);
  }
  CHECK(accepted == 20);
  CHECK(admission.judge(source, true, kStart + 1s) == CookieVerdict::kAccept);
}

// RFC 7296 2.23.
TEST_CASE("a NAT shows on the side where it stands") {
  const ike::SpiPair spis{1, 2};
  const wire::SocketAddress a{address("192.0.2.1"), 500}, b{address("203.0.113.1"), 500};
  const wire::SocketAddress translated{address("198.51.100.9"), 1024};
  const auto source = ike::nat_hash(spis, a), second_source = ike::nat_hash(spis, translated);
  const auto destination = ike::nat_hash(spis, b);
  const std::vector<wire::ConstBytes> sources{source}, two{source, second_source}, destinations{destination};
  const auto judge = [&](const auto& from, const auto& to) {
    return ike::judge_nat(sources, destinations, spis, from, to);
  };
  CHECK(judge(a, b) == ike::NatFindings{true, false, false});
  CHECK(judge(translated, b) == ike::NatFindings{true, true, false});
  CHECK(judge(wire::SocketAddress{a.address, 501}, b).peer_behind);
  CHECK(judge(a, translated) == ike::NatFindings{true, false, true});
  CHECK_FALSE(ike::judge_nat(two, destinations, spis, translated, b).peer_behind);
  CHECK(ike::judge_nat(sources, destinations, {2, 1}, a, b).peer_behind);
  CHECK_FALSE(ike::judge_nat({}, destinations, spis, a, b).any());
  CHECK_FALSE(ike::judge_nat(sources, {}, spis, a, b).supported);
}

// RFC 7296 2.1.
TEST_CASE("a repeated request is known by its octets; anything else of old is not") {
  using Verdict = ike::PeerRequests::Verdict;
  ike::PeerRequests window;
  const Octets first{1, 2, 3}, second{4, 5, 6};
  CHECK(window.judge(0, first) == Verdict::kNew);
  CHECK(window.judge(1, first) == Verdict::kOutside);
  CHECK(window.judge(UINT32_MAX, first) == Verdict::kOutside);
  window.answered(ike::digest_of(first), {{9}});
  CHECK(window.judge(0, first) == Verdict::kRepeated);
  CHECK(window.judge(0, second) == Verdict::kOldId);
  CHECK(window.judge(1, second) == Verdict::kNew);
  window.answered(ike::digest_of(second), {{8}});
  CHECK(window.judge(0, first) == Verdict::kOutside);
  CHECK(window.judge(1, second) == Verdict::kRepeated);
  CHECK(window.kept() == ike::Datagrams{{8}});
}

// RFC 7296 2.4: at least a dozen times over several minutes.
TEST_CASE("a request is sent again a dozen times over minutes, then given up") {
  using Due = ike::OurRequests::Due;
  ike::OurRequests window;
  CHECK(window.deadline() == ike::kNever);
  window.sent({{1}}, kStart, {});
  Instant now = kStart;
  int resent = 0;
  for (;;) {
    CHECK(window.on_deadline(window.deadline() - 1ns, {}) == Due::kNothing);
    now = window.deadline();
    if (window.on_deadline(now, {}) == Due::kGiveUp) break;
    ++resent;
  }
  CHECK(resent == 12);
  CHECK(now - kStart > 180s);
  CHECK(now - kStart < 300s);
  CHECK(window.deadline() == ike::kNever);
}

// RFC 7296 2.2.
TEST_CASE("only the answer to the outstanding request is awaited") {
  ike::OurRequests window;
  CHECK_FALSE(window.awaits(0));
  window.sent({{1}}, kStart, {});
  CHECK(window.awaits(0));
  CHECK_FALSE(window.awaits(1));
  window.answered();
  CHECK_FALSE(window.awaits(0));
  CHECK_FALSE(window.awaits(1));
  CHECK(window.next_id() == 1);
  CHECK(window.deadline() == ike::kNever);
}
