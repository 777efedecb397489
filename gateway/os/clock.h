// The only place clocks are read; once per loop turn.
#pragma once

#include "config/value/instant.h"

namespace gateway::os {

[[nodiscard]] config::value::Instant boot_now();   // CLOCK_BOOTTIME
[[nodiscard]] config::value::WallTime wall_now();  // CLOCK_REALTIME
// CLOCK_MONOTONIC, which stands still in suspend: only for systemd, which compares with it.
[[nodiscard]] config::value::Duration monotonic_now();

}  // namespace gateway::os
