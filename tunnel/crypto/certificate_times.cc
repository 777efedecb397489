// By difference from 1970: no civil calendar of our own.
#include "tunnel/crypto/certificate_times.h"

#include <memory>

#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {

config::value::WallTime wall_time(const ASN1_TIME* time) {
  using config::value::WallTime;
  using Seconds = std::chrono::seconds;
  static constexpr auto kLast = std::chrono::duration_cast<Seconds>(WallTime::max().time_since_epoch());
  static constexpr auto kFirst = std::chrono::duration_cast<Seconds>(WallTime::min().time_since_epoch());
  const std::unique_ptr<ASN1_TIME, openssl::Free<ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  wire::require(epoch != nullptr);
  int days = 0, seconds = 0;
  if (time == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return WallTime::min();
  const Seconds whole = Seconds(std::int64_t{days} * 86'400 + seconds);
  if (whole >= kLast) return WallTime::max();
  return whole <= kFirst ? WallTime::min() : WallTime(whole);
}

}  // namespace tunnel::crypto
