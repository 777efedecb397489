// What a message must be beyond its encoding before accessd keeps anything of it: the sender may be under somebody's
// control. False: no tunneld in order would send it.
#pragma once

#include <cstdint>

#include "gateway/core/messages.h"

namespace gateway::daemon {

inline constexpr std::size_t kMostNamedCounters = 256;  // in one report

[[nodiscard]] bool fits(const core::TunnelEvents& events);
[[nodiscard]] bool fits(const core::StatusReport& report);
[[nodiscard]] bool fits(const core::GuardRefusals& refusals);

// The highest timestamp floor (seconds of TAI64N's label) that may be asked for: a day ahead of the clock, or of the
// floor that stood at this process's start and the time since, when the clock is behind it. Never of the floor as it is
// now: asking again and again would lead anywhere, and a floor far ahead stays for good and keeps every peer from being
// called.
[[nodiscard]] std::uint64_t furthest_floor(std::uint64_t clock, std::uint64_t floor_at_start,
                                           std::uint64_t seconds_since_start);

}  // namespace gateway::daemon
