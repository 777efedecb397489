// Instants as people write them on a command line, and days as they read them. The time zone of the configuration is
// Asia/Tokyo, UTC+9 all year round, as for its end dates.
#pragma once

#include <string>
#include <string_view>

#include "config/gateway_config.h"
#include "config/value/result.h"

namespace config {

// RFC 3339 with an offset ("2027-03-31T09:00:00+09:00", "...Z"), or local date and time ("2027-03-31 09:00",
// "2027-03-31T09:00:30"), or a date alone: its first moment. Years 2000 to 2200. The error is a sentence for a person.
struct Moment {
  WallTime at;
  [[nodiscard]] static value::Result<Moment, std::string> parse(std::string_view text);
};

// "2026-11-26", the day in Japan.
[[nodiscard]] std::string day_text(WallTime time);
// "2026-11-26T09:00:00+09:00".
[[nodiscard]] std::string moment_text(WallTime time);
// The last day on which something holds that ends at `until`, the first moment after.
[[nodiscard]] std::string last_day_text(WallTime until);

}  // namespace config
