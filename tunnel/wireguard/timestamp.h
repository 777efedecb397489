// TAI64N timestamps of our initiations (WireGuard 5.1, 5.4.2): strictly increasing over the whole endpoint and over
// restarts, and never further ahead of the clock than that needs.
#pragma once

#include <cstdint>
#include <expected>

#include "tunnel/wireguard/constants.h"
#include "tunnel/wireguard/messages.h"

namespace tunnel::wireguard {

struct TimestampParams {
  wire::WallTime wall_now;
  std::uint64_t floor = 0;  // TAI64N seconds; every timestamp is later. 0: none
};

enum class NoTimestamp : std::uint8_t {
  kClock,       // the clock is absurd (before 2024 or after 2100): a peer would remember a wrong future for ever
  kNotDurable,  // it would go beyond `limit`, and so could come again after a restart
};

class TimestampSource {
 public:
  TimestampSource(const TimestampParams& params, Instant now);
  // `limit`: the last TAI64N seconds that may be used.
  [[nodiscard]] std::expected<Timestamp, NoTimestamp> next(Instant now, std::uint64_t limit);
  void set_wall_time(wire::WallTime wall_now, Instant now);
  // TAI64N seconds of the latest timestamp; the floor before there was one.
  [[nodiscard]] std::uint64_t used_seconds() const { return last_.seconds; }

 private:
  struct Tai {
    std::uint64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    friend auto operator<=>(const Tai&, const Tai&) = default;
  };
  wire::WallTime wall_base_;
  Instant base_;
  Tai last_;
};

}  // namespace tunnel::wireguard
