// A source that has proven its address is counted by it; one that has not is never remembered.
#include "tunnel/ike/admission.h"

#include <algorithm>
#include <bit>

#include <sodium.h>

#include "tunnel/wire/require.h"

namespace tunnel::ike {
namespace {

wire::Prefix source_of(const wire::IpAddress& address) {
  return wire::Prefix::masked(address, address.is_v4() ? 32 : 64);
}
wire::Prefix network_of(const wire::IpAddress& address) {
  return wire::Prefix::masked(address, address.is_v4() ? 24 : 48);
}

}  // namespace

std::size_t Admission::Hasher::operator()(const wire::Prefix& prefix) const noexcept {
  static_assert(crypto_shorthash_BYTES == sizeof(std::size_t));
  std::array<std::uint8_t, 18> text{};
  std::ranges::copy(prefix.address().storage(), text.begin());
  text[16] = prefix.length();
  text[17] = prefix.address().is_v4();
  std::array<std::uint8_t, crypto_shorthash_BYTES> out{};
  crypto_shorthash(out.data(), text.data(), text.size(), key.data());
  return std::bit_cast<std::size_t>(out);
}

Admission::Hasher Admission::Hasher::keyed(crypto::Rng& rng) {
  Hasher hasher;
  rng.fill(hasher.key);
  return hasher;
}

Admission::Admission(const AdmissionLimits& limits, crypto::Rng& rng)
    : limits_(limits), counts_(0, Hasher::keyed(rng)), accepted_(0, Hasher::keyed(rng)) {}

// RFC 8019 4.2, 4.5.
Admission::Verdict Admission::judge(const wire::IpAddress& address, bool proven, wire::Instant now,
                                    std::uint32_t work) {
  begin_second(now);
  if (seen_ < UINT32_MAX) ++seen_;
  const wire::Prefix source = source_of(address), network = network_of(address);
  if (!proven && pressed(source)) return Verdict::kAskCookie;
  const bool full = half_open_ >= limits_.most || of(counts_, source) >= limits_.most_of_source ||
                    of(counts_, network) >= limits_.most_of_network;
  const bool fast = of(accepted_, source) >= limits_.rate_of_source || worked_ + work > limits_.work;
  if (full || fast) return Verdict::kRefuse;
  ++half_open_;
  ++counts_[source];
  ++counts_[network];
  ++accepted_[source];
  worked_ += work;
  return Verdict::kAccept;
}

void Admission::closed(const wire::IpAddress& source) {
  wire::require(half_open_ > 0);
  --half_open_;
  lower(counts_, source_of(source));
  lower(counts_, network_of(source));
}

bool Admission::pressed(const wire::Prefix& source) const {
  return half_open_ >= limits_.cookies_from || of(counts_, source) >= limits_.cookies_from_source ||
         std::max(seen_, seen_before_) > limits_.cookies_from_rate ||
         of(accepted_, source) >= limits_.cookies_from_source;
}

void Admission::begin_second(wire::Instant now) {
  const wire::Duration passed = second_ ? now - *second_ : wire::Duration::max();
  if (passed < std::chrono::seconds(1)) return;
  seen_before_ = passed < std::chrono::seconds(2) ? seen_ : 0;
  seen_ = worked_ = 0;
  second_ = now;
  accepted_.clear();
}

std::size_t Admission::of(const Counts& counts, const wire::Prefix& prefix) {
  const auto found = counts.find(prefix);
  return found == counts.end() ? 0 : found->second;
}

void Admission::lower(Counts& counts, const wire::Prefix& prefix) {
  const auto found = counts.find(prefix);
  wire::require(found != counts.end());
  if (--found->second == 0) counts.erase(found);
}

}  // namespace tunnel::ike
