// Token bucket per source address (IPv6: per /64) for handshakes under load: 20 a second, 5 at once (WireGuard 5.3).
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "tunnel/crypto/rng.h"
#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

class RateLimiter {
 public:
  static constexpr std::size_t kMaxSources = 65'536;
  static constexpr Duration kCost = 50ms;       // of one handshake, in time: 20 a second
  static constexpr Duration kFull = 5 * kCost;  // the burst
  static constexpr Duration kSweepEvery = 1s;   // an idle bucket is full again long before

  explicit RateLimiter(crypto::Rng& rng) : buckets_(0, Hasher::keyed(rng)) {}
  // Takes one token. False: none left, or the table is full and `source` not in it.
  [[nodiscard]] bool allow(const wire::IpAddress& source, Instant now);
  [[nodiscard]] std::size_t sources() const { return buckets_.size(); }

 private:
  struct Bucket {
    Duration tokens;
    Instant last;
  };
  struct Hasher {  // SipHash: sources are chosen by strangers
    std::array<std::uint8_t, 16> key{};
    static Hasher keyed(crypto::Rng& rng);
    std::size_t operator()(const wire::IpAddress& source) const noexcept;
  };
  void sweep(Instant now);
  std::unordered_map<wire::IpAddress, Bucket, Hasher> buckets_;
  Instant swept_{};
};

}  // namespace tunnel::wireguard
