// Reads the two clocks; nobody else does.
#include "gateway/os/clock.h"

#include <ctime>

namespace gateway::os {
namespace {

config::value::Duration read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

config::value::Instant boot_now() {
  return config::value::Instant(read_clock(CLOCK_BOOTTIME));
}
config::value::WallTime wall_now() {
  return config::value::WallTime(read_clock(CLOCK_REALTIME));
}
config::value::Duration monotonic_now() {
  return read_clock(CLOCK_MONOTONIC);
}

}  // namespace gateway::os
