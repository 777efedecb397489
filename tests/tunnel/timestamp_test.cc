// TAI64N: WireGuard 5.1 and rule S18: never repeated, never back, never further ahead than needed, never by an absurd
// clock.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/timestamp.h"

using namespace sim;
using tunnel::wireguard::Timestamp;
using tunnel::wireguard::TimestampSource;

namespace {
constexpr std::uint64_t kTai = 0x400000000000000aULL + 1'790'000'000;  // of kWallStart
}

TEST_CASE("timestamps rise strictly, also within one instant and when the clock goes back") {
  TimestampSource source({kWallStart, 0}, kStart);
  Timestamp last{};
  for (int i = 0; i < 1000; ++i) {
    const auto next = source.next(kStart);
    REQUIRE(next);
    REQUIRE(*next > last);
    last = *next;
  }
  source.set_wall_time(kWallStart - 24h, kStart);
  CHECK(*source.next(kStart) > last);
  CHECK(source.used_seconds() == kTai);  // a thousand cost a microsecond, not a second
  source.set_wall_time(kWallStart + 1h, kStart);
  CHECK(source.next(kStart + 1s).has_value());
  CHECK(source.used_seconds() == kTai + 3601);
}

TEST_CASE("after a restart every timestamp is later than the stored one, by no more than a second") {
  const auto behind = GENERATE(0s, 1s, 3600s);
  TimestampSource before({kWallStart, 0}, kStart);
  const Timestamp last = *before.next(kStart);
  TimestampSource after({kWallStart - behind, before.used_seconds()}, kStart);
  CHECK(*after.next(kStart) > last);
  CHECK(after.used_seconds() == kTai + 1);
  for (int i = 0; i < 100; ++i) static_cast<void>(after.next(kStart));
  CHECK(after.used_seconds() == kTai + 1);
}

TEST_CASE("an absurd clock makes no timestamp and no initiation") {
  using std::chrono::seconds;
  for (const auto wall : {seconds(0), seconds(1'704'067'199), seconds(4'102'444'800), seconds(9'000'000'000)}) {
    TimestampSource source({WallTime{wall}, 0}, kStart);
    CHECK_FALSE(source.next(kStart).has_value());
  }
  CHECK(TimestampSource({WallTime{seconds(1'704'067'200)}, 0}, kStart).next(kStart).has_value());
  EndpointParams params;
  params.wall_now = WallTime{seconds(1)};
  Pair pair("", params);
  pair.a_sends();
  CHECK(pair.a.sent.empty());
  CHECK(pair.a.events_of(EventKind::kHandshakeFailed) == 1);
  pair.a.endpoint->set_wall_time(kWallStart, pair.now);
  pair.a.run(pair.now + 6s);
  CHECK(pair.a.sent.size() == 1);
}
