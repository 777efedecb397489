// Idle buckets are swept once a second, so the table follows the sources of the moment.
#include "tunnel/wireguard/rate_limiter.h"

#include <algorithm>
#include <bit>

#include <sodium.h>

namespace tunnel::wireguard {

RateLimiter::Hasher RateLimiter::Hasher::keyed(crypto::Rng& rng) {
  Hasher hasher;
  rng.fill(hasher.key);
  return hasher;
}

std::size_t RateLimiter::Hasher::operator()(const wire::IpAddress& source) const noexcept {
  static_assert(crypto_shorthash_BYTES == sizeof(std::size_t));
  std::array<std::uint8_t, crypto_shorthash_BYTES> out;
  crypto_shorthash(out.data(), source.octets().data(), source.octets().size(), key.data());
  return std::bit_cast<std::size_t>(out);
}

bool RateLimiter::allow(const wire::IpAddress& source, Instant now) {
  if (now - swept_ >= kSweepEvery) sweep(now);
  const wire::IpAddress owner = source.is_v4() ? source : wire::Prefix::masked(source, 64).address();
  const auto found = buckets_.find(owner);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMaxSources) return false;
    buckets_.emplace(owner, Bucket{kFull - kCost, now});
    return true;
  }
  Bucket& bucket = found->second;
  bucket.tokens = std::min(kFull, bucket.tokens + (now - bucket.last));
  bucket.last = now;
  if (bucket.tokens < kCost) return false;
  bucket.tokens -= kCost;
  return true;
}

void RateLimiter::sweep(Instant now) {
  std::erase_if(buckets_, [&](const auto& entry) { return now - entry.second.last >= kSweepEvery; });
  swept_ = now;
}

}  // namespace tunnel::wireguard
