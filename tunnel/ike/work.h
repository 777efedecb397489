// What a stranger or a peer may make us compute: key exchanges, weighed by their group, and the narrowing of selectors.
// Data never waits for handshakes, so a second has no more of them than leaves most of a processor. Measured on one
// core of 2026: a unit is at most half a millisecond.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tunnel/crypto/suite.h"
#include "tunnel/wire/packet.h"

namespace tunnel::ike {

[[nodiscard]] constexpr std::uint32_t work_of(crypto::Group group) {
  if (group == crypto::Group::kModp4096) return 16;
  if (group == crypto::Group::kModp3072) return 8;
  return group == crypto::Group::kModp2048 ? 4 : 1;
}

inline constexpr std::size_t kStepsOfUnit = 50'000;  // comparisons of selectors (selectors.h)

// A bucket of units that fills by itself.
class WorkAllowance {
 public:
  static constexpr std::uint32_t kMost = 1024, kEachSecond = 32;  // of one peer: CREATE_CHILD_SA

  // False: none of it is left; ask again later.
  [[nodiscard]] bool take(std::uint32_t units, wire::Instant now) {
    const wire::Duration passed = std::min<wire::Duration>(now - filled_, std::chrono::minutes(1));  // fills it
    const auto earned = passed * kEachSecond / std::chrono::seconds(1);
    if (earned > 0) {
      left_ = static_cast<std::uint32_t>(std::min<std::int64_t>(kMost, left_ + earned));
      filled_ = now;
    }
    if (units > left_) return false;
    left_ -= units;
    return true;
  }
  // For what was found to be more work only when it was done.
  void owe(std::uint32_t units) { left_ -= std::min(left_, units); }

 private:
  std::uint32_t left_ = kMost;
  wire::Instant filled_{};
};

}  // namespace tunnel::ike
