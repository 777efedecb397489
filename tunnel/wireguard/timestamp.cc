// TAI64N: 2^62 + 10 + seconds since 1970, then nanoseconds, both big-endian (cr.yp.to/libtai/tai64.html).
#include "tunnel/wireguard/timestamp.h"

namespace tunnel::wireguard {
namespace {

constexpr std::uint64_t kTaiEpoch = 0x400000000000000aULL;
constexpr std::uint32_t kLastNanosecond = 999'999'999;
// The clock is shown to peers only in steps of 2^24 ns, close to the 20 ms they accept initiations in: it then tells
// less.
constexpr std::uint32_t kCoarse = ~((std::uint32_t{1} << 24) - 1);
constexpr wire::WallTime kSaneFrom{std::chrono::seconds(1'704'067'200)};   // 2024-01-01
constexpr wire::WallTime kSaneUntil{std::chrono::seconds(4'102'444'800)};  // 2100-01-01

constexpr std::uint64_t label_of(wire::WallTime wall) {  // of 1970 or later
  return kTaiEpoch + static_cast<std::uint64_t>(wall.time_since_epoch().count()) / 1'000'000'000;
}

}  // namespace

TimestampSource::TimestampSource(const TimestampParams& params, Instant now)
    : wall_base_(params.wall_now), base_(now), last_{params.floor, kLastNanosecond} {}

bool is_sane_label(std::uint64_t tai_seconds) {
  return tai_seconds >= label_of(kSaneFrom) && tai_seconds < label_of(kSaneUntil);
}

std::optional<std::uint64_t> sane_label(wire::WallTime wall) {
  if (wall < kSaneFrom || wall >= kSaneUntil) return std::nullopt;
  return label_of(wall);
}

std::expected<Timestamp, NoTimestamp> TimestampSource::next(Instant now, std::uint64_t limit) {
  const bool at_end = last_.nanoseconds == kLastNanosecond;
  Tai next = at_end ? Tai{last_.seconds + 1, 0} : Tai{last_.seconds, last_.nanoseconds + 1};
  const wire::WallTime wall = wall_base_ + (now - base_);
  if (const auto label = sane_label(wall)) {
    const auto nanoseconds = static_cast<std::uint64_t>(wall.time_since_epoch().count()) % 1'000'000'000;
    next = std::max(next, Tai{*label, static_cast<std::uint32_t>(nanoseconds) & kCoarse});
  }
  if (!is_sane_label(next.seconds)) return std::unexpected(NoTimestamp::kClock);
  if (next.seconds > limit) return std::unexpected(NoTimestamp::kNotDurable);
  last_ = next;
  Timestamp timestamp{};
  wire::Writer writer(timestamp);
  writer.u64_be(last_.seconds);
  writer.u32_be(last_.nanoseconds);
  return timestamp;
}

void TimestampSource::set_wall_time(wire::WallTime wall_now, Instant now) {
  wall_base_ = wall_now;
  base_ = now;
}

}  // namespace tunnel::wireguard
