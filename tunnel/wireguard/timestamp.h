// TAI64N timestamps of our initiations (WireGuard 5.1, 5.4.2): strictly increasing over the whole endpoint and over
// restarts, and never further ahead of the clock than that needs.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "tunnel/wireguard/constants.h"
#include "tunnel/wireguard/messages.h"

namespace tunnel::wireguard {

struct TimestampParams {
  wire::WallTime wall_now;
  std::uint64_t floor = 0;  // TAI64N seconds; every timestamp is later. 0: none
};

// TAI64N seconds of 2024 to 2100. Others come from a clock or a file that is not to be believed: a peer would remember
// a wrong future for ever.
[[nodiscard]] bool is_sane_label(std::uint64_t tai_seconds);
// Nothing when the clock is not to be believed (a machine without battery starts in 1970).
[[nodiscard]] std::optional<std::uint64_t> sane_label(wire::WallTime wall);

enum class NoTimestamp : std::uint8_t {
  kClock,       // neither the clock nor the last timestamp is sane
  kNotDurable,  // it would go beyond `limit`, and so could come again after a restart
};

class TimestampSource {
 public:
  TimestampSource(const TimestampParams& params, Instant now);
  // A clock behind the last timestamp, or absurd, does not matter: the next one is the last and a nanosecond. `limit`:
  // the last TAI64N seconds that may be used.
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
