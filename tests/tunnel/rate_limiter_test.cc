// WireGuard 5.3: 20 handshakes a second, 5 at once, for each IPv4 address or IPv6 /64.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/rate_limiter.h"

using namespace sim;
using tunnel::wireguard::RateLimiter;

namespace {

IpAddress address(const std::string& text) {
  return *IpAddress::parse(text);
}

int allowed(RateLimiter& limiter, const IpAddress& source, int tries, Instant now) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limiter.allow(source, now) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("five at once, then one each 50 ms") {
  SeededRng rng(1);
  RateLimiter limiter(rng);
  const IpAddress source = address("198.51.100.7");
  CHECK(allowed(limiter, source, 20, kStart) == 5);
  CHECK(allowed(limiter, source, 5, kStart + 49ms) == 0);
  CHECK(allowed(limiter, source, 5, kStart + 50ms) == 1);
  CHECK(allowed(limiter, source, 5, kStart + 200ms) == 3);
  CHECK(allowed(limiter, address("198.51.100.8"), 20, kStart + 200ms) == 5);  // another address is not touched
  CHECK(allowed(limiter, source, 20, kStart + 10s) == 5);
}

TEST_CASE("a steady flood gets 20 a second") {
  SeededRng rng(1);
  RateLimiter limiter(rng);
  int count = 0;
  for (int ms = 0; ms < 10'000; ++ms) count += limiter.allow(address("198.51.100.7"), kStart + ms * 1ms) ? 1 : 0;
  CHECK(count >= 200);
  CHECK(count <= 205);
}

TEST_CASE("IPv6 is limited by /64") {
  SeededRng rng(1);
  RateLimiter limiter(rng);
  CHECK(allowed(limiter, address("2001:db8::1"), 5, kStart) == 5);
  CHECK(allowed(limiter, address("2001:db8::ffff:2"), 5, kStart) == 0);
  CHECK(allowed(limiter, address("2001:db8:0:1::1"), 5, kStart) == 5);
  CHECK(limiter.sources() == 2);
}

TEST_CASE("a full table refuses strangers until idle buckets are swept") {
  SeededRng rng(1);
  RateLimiter limiter(rng);
  for (std::uint32_t i = 0; i < RateLimiter::kMaxSources; ++i) {
    const auto octet = [&](int shift) { return static_cast<std::uint8_t>(i >> shift); };
    REQUIRE(limiter.allow(IpAddress::v4({10, octet(16), octet(8), octet(0)}), kStart));
  }
  CHECK_FALSE(limiter.allow(address("198.51.100.7"), kStart));
  CHECK(limiter.allow(address("10.0.0.1"), kStart));  // who is in it keeps his tokens
  CHECK(limiter.sources() == RateLimiter::kMaxSources);
  CHECK(limiter.allow(address("198.51.100.7"), kStart + 1s));
  CHECK(limiter.sources() == 1);
}
