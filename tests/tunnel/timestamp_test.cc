// TAI64N: WireGuard 5.1 and rule S18: never repeated, never back, never further ahead than needed, never by an absurd
// clock.
#include <catch2/catch.hpp>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/failure.h"
#include "tunnel/wireguard/timestamp.h"

using namespace sim;
using tunnel::wireguard::NoTimestamp;
using tunnel::wireguard::Timestamp;
using tunnel::wireguard::TimestampSource;

namespace {
constexpr std::uint64_t kNoLimit = UINT64_MAX;
constexpr std::uint64_t kTai = 0x400000000000000aULL + 1'790'000'000;  // of kWallStart
}  // namespace

TEST_CASE("timestamps rise strictly, also within one instant and when the clock goes back") {
  TimestampSource source({kWallStart, 0}, kStart);
  Timestamp last{};
  for (int i = 0; i < 1000; ++i) {
    const auto next = source.next(kStart, kNoLimit);
    REQUIRE(next);
    REQUIRE(*next > last);
    last = *next;
  }
  source.set_wall_time(kWallStart - 24h, kStart);
  CHECK(*source.next(kStart, kNoLimit) > last);
  CHECK(source.used_seconds() == kTai);  // a thousand cost a microsecond, not a second
  source.set_wall_time(kWallStart + 1h, kStart);
  CHECK(source.next(kStart + 1s, kNoLimit).has_value());
  CHECK(source.used_seconds() == kTai + 3601);
}

TEST_CASE("after a restart every timestamp is later than the stored one, by no more than a second") {
  const auto behind = GENERATE(0s, 1s, 3600s);
  TimestampSource before({kWallStart, 0}, kStart);
  const Timestamp last = *before.next(kStart, kNoLimit);
  TimestampSource after({kWallStart - behind, before.used_seconds()}, kStart);
  CHECK(*after.next(kStart, kNoLimit) > last);
  CHECK(after.used_seconds() == kTai + 1);
  for (int i = 0; i < 100; ++i) static_cast<void>(after.next(kStart, kNoLimit));
  CHECK(after.used_seconds() == kTai + 1);
}

TEST_CASE("WireGuard 5.1: a dead clock goes on from what was kept, a nanosecond each time") {
  for (const auto wall : {std::chrono::seconds(0), std::chrono::seconds(9'000'000'000)}) {
    TimestampSource source({WallTime{wall}, kTai}, kStart);
    Timestamp last{};
    for (int i = 0; i < 100; ++i) {
      const auto next = source.next(kStart + std::chrono::hours(i), kNoLimit);
      REQUIRE(next);
      REQUIRE(*next > last);
      last = *next;
    }
    CHECK(source.used_seconds() == kTai + 1);
    source.set_wall_time(kWallStart + 1h, kStart + 100h);  // set right
    CHECK(source.next(kStart + 100h, kNoLimit).has_value());
    CHECK(source.used_seconds() == kTai + 3600);
  }
}

TEST_CASE("a kept timestamp beyond 2100 is not gone on from") {
  const std::uint64_t end_of_sense = kTai - 1'790'000'000 + 4'102'444'800;
  TimestampSource source({kWallStart, end_of_sense - 1}, kStart);
  const auto refused = source.next(kStart, kNoLimit);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == NoTimestamp::kClock);
  CHECK(tunnel::wireguard::is_sane_label(end_of_sense - 1));
  CHECK_FALSE(tunnel::wireguard::is_sane_label(end_of_sense));
  CHECK_FALSE(tunnel::wireguard::sane_label(WallTime{}).has_value());
  CHECK(tunnel::wireguard::sane_label(kWallStart) == kTai);
}

TEST_CASE("an absurd clock and nothing kept make no timestamp and no initiation") {
  using std::chrono::seconds;
  for (const auto wall : {seconds(0), seconds(1'704'067'199), seconds(4'102'444'800), seconds(9'000'000'000)}) {
    TimestampSource source({WallTime{wall}, 0}, kStart);
    CHECK_FALSE(source.next(kStart, kNoLimit).has_value());
  }
  CHECK(TimestampSource({WallTime{seconds(1'704'067'200)}, 0}, kStart).next(kStart, kNoLimit).has_value());
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

TEST_CASE("WireGuard 5.1: no timestamp goes beyond what is durable, and none is used up by being refused") {
  TimestampSource source({kWallStart, 0}, kStart);
  const auto refused = source.next(kStart, kTai - 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == NoTimestamp::kNotDurable);
  CHECK(source.used_seconds() == 0);
  CHECK(source.next(kStart, kTai).has_value());
}

//   a                       disk of a
//   |  limit: nothing           |
//   |------ asked ------------->|
//   |<----- durable (3 ms) -----|
//   |====== initiation ========>   at once, not at the next try 5 s later
TEST_CASE("an initiation waits for its durable timestamp and goes the moment it is there") {
  EndpointParams params;
  params.timestamp_limit = kTai - 1;
  Pair pair("", params);
  pair.a_sends();
  CHECK(pair.a.sent.empty());
  CHECK(pair.a.endpoint->initiations_withheld() == 1);
  CHECK(pair.a.events_of(EventKind::kHandshakeFailed) == 0);
  pair.a.run(pair.now + 20s);  // its tries go on, and none of them leaves
  CHECK(pair.a.sent.empty());
  pair.now += 20s;
  pair.a.allow_timestamps(kTai - 1, pair.now);
  pair.a.allow_timestamps(kTai, pair.now);  // still before now
  CHECK(pair.a.sent.empty());
  pair.a.allow_timestamps(kTai + 20, pair.now);
  CHECK(pair.a.sent.size() == 1);
  pair.exchange();
  CHECK(pair.b.received.empty() == false);
}

TEST_CASE("a call that nobody lets go says so, and one that went is not blamed for it") {
  EndpointParams params;
  params.timestamp_limit = kTai - 1;
  Pair pair("", params);
  pair.a_sends();
  const auto problem = [&] { return pair.a.endpoint->counters({1})->problem; };
  CHECK(problem() == sentence(Failure::kNotDurable));
  SECTION("never") {
    pair.a.run(pair.now + 100s);
    REQUIRE(pair.a.events_of(EventKind::kHandshakeGaveUp) == 1);
    CHECK(pair.a.events.back().detail == sentence(Failure::kNotDurable));
  }
  SECTION("soon, and nobody answers") {
    pair.a.allow_timestamps(UINT64_MAX, pair.now);
    CHECK(problem().empty());
    pair.a.run(pair.now + 100s);
    REQUIRE(pair.a.events_of(EventKind::kHandshakeGaveUp) == 1);
    CHECK(problem() == sentence(Failure::kNoAnswer));
  }
}

TEST_CASE("a peer removed while its initiation waits is not called, nor who took its number") {
  EndpointParams params;
  params.timestamp_limit = kTai - 1;
  Pair pair("", params);
  pair.a_sends();
  pair.a.remove_peer(1, pair.now);
  pair.b_at_a.public_key = public_of(33);
  pair.a.set_peer(pair.b_at_a, pair.now);
  pair.a.allow_timestamps(UINT64_MAX, pair.now);
  CHECK(pair.a.sent.empty());
}
