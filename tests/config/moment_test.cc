// Instants as people write them, and the warnings about what ends soon.
#include "config/moment.h"

#include <catch2/catch.hpp>

#include "tests/config/support.h"

using config::Moment;
using namespace config_test;

namespace {

std::int64_t seconds_of(std::string_view text) {
  const auto moment = Moment::parse(text);
  INFO(text);
  REQUIRE(moment);
  return std::chrono::duration_cast<std::chrono::seconds>(moment->at.time_since_epoch()).count();
}

// base() as of `left` before the end of its dates, 2030-03-31.
std::string diagnostics_before_the_end(std::chrono::seconds left, const std::string& text = base()) {
  return all_text(config::load({{"sekisho.json", text}}, Moment::parse("2030-04-01")->at - left));
}

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a moment is RFC 3339 with its offset") {
  CHECK(seconds_of("2027-03-31T00:00:00Z") == 1806451200);
  CHECK(seconds_of("2027-03-31t09:00:00+09:00") == 1806451200);
  CHECK(seconds_of("2027-03-30T19:30:00-04:30") == 1806451200);
  CHECK(seconds_of("2027-03-31 00:00:00.999z") == 1806451200);
  CHECK(seconds_of("2028-02-29T00:00:00Z") == 1835395200);
}

TEST_CASE("a moment without an offset is the time of Japan, and a date alone its first moment") {
  for (const auto* text : {"2027-03-31 09:00", "2027-03-31T09:00", "2027-03-31T09:00:00", "2027-03-31 09:00:00.5"})
    CHECK(seconds_of(text) == 1806451200);
  CHECK(seconds_of("2027-03-31") == 1806451200 - 9 * 3600);
}

TEST_CASE("what is no moment is refused with what would be right") {
  for (const auto* text : {"",
                           "now",
                           "2027-03-32",
                           "2027-02-29",
                           "2027-13-01",
                           "27-03-31",
                           "2027-3-31",
                           "1999-12-31",
                           "2201-01-01",
                           "2027-03-31T",
                           "2027-03-31T9:00",
                           "2027-03-31T24:00",
                           "2027-03-31T09:60",
                           "2027-03-31T09:00:60",
                           "2027-03-31T09:00+9",
                           "2027-03-31T09:00+09",
                           "2027-03-31T09:00+24:00",
                           "2027-03-31T09:00Z ",
                           "2027-03-31T09:00:00.Z",
                           "2027-03-31T09:00:00,5Z",
                           "2027-03-31  09:00",
                           "2027-03-31Z",
                           "+2027-03-31",
                           "2027-03-31T09:00Zulu",
                           "２０２７-03-31"}) {
    const auto moment = Moment::parse(text);
    INFO(text);
    REQUIRE_FALSE(moment);
    CHECK(has(moment.error(), "2027-03-31T09:00:00+09:00"));
  }
}

TEST_CASE("moments and days are written in the time of Japan") {
  const auto at = Moment::parse("2027-03-30T15:00:00Z")->at;
  CHECK(config::moment_text(at) == "2027-03-31T00:00:00+09:00");
  CHECK(config::day_text(at) == "2027-03-31");
  CHECK(config::last_day_text(at) == "2027-03-30");
  CHECK(Moment::parse(config::moment_text(at))->at == at);
}

TEST_CASE("what ends within 30 days is a warning at its date, within 7 a stronger one") {
  using std::chrono::hours;
  const auto month = diagnostics_before_the_end(hours(24 * 30));
  CHECK(has(month,
            "warning: exchanges[0].until: the exchange from \"beta\" to \"alpha\" ends in 30 days; its last day "
            "is 2030-03-31"));
  CHECK(
      has(month, "facilities.alpha.tunnel.exception.until: the exception for the WireGuard tunnel of \"alpha\" ends"));
  CHECK_FALSE(has(month, "very soon"));
  CHECK(has(diagnostics_before_the_end(hours(24 * 7)), "ends very soon, in 7 days"));
  CHECK(has(diagnostics_before_the_end(hours(25)), "ends very soon, in 1 day;"));
  CHECK(has(diagnostics_before_the_end(hours(1)), "in less than a day"));
  CHECK_FALSE(has(month, "error"));
}

TEST_CASE("what ends later is no warning, and what has ended is an error alone") {
  using std::chrono::hours;
  CHECK_FALSE(has(diagnostics_before_the_end(hours(24 * 30) + std::chrono::seconds(1)), " ends "));
  const auto ended = diagnostics_before_the_end(hours(0));
  CHECK_FALSE(has(ended, " ends "));
  CHECK(has(ended, "error: exchanges[0].until"));
}
