// What the load generators read: nanoseconds of the monotonic clock, one for all processes of a machine.
#pragma once

#include <cstdint>
#include <ctime>

namespace bench {

inline constexpr std::int64_t kSecond = 1'000'000'000;

inline std::int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

}  // namespace bench
