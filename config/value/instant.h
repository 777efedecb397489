// Two clocks that cannot be mixed up. Neither can be read here: time is always an argument (gateway/os reads it).
#pragma once

#include <chrono>

namespace config::value {

using Duration = std::chrono::nanoseconds;

// CLOCK_BOOTTIME: never set, counts through suspend. All protocol deadlines.
struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, Duration>;
};
using Instant = BootClock::time_point;

// CLOCK_REALTIME, UTC since 1970: end dates, grants and records only.
struct CivilClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CivilClock, Duration>;
};
using WallTime = CivilClock::time_point;

}  // namespace config::value
