// What accessd takes from a tunneld that is under somebody's control.
#include "gateway/daemon/accessd_forms.h"

#include <catch2/catch.hpp>
#include "gateway/core/event_queue.h"

using namespace gateway;
using daemon::fits;

namespace {

core::TunnelEvents events(const std::string& facility, const std::string& detail) {
  core::TunnelEvents all;
  all.events.push_back({{}, facility, {}, detail});
  return all;
}

core::StatusReport report() {
  core::StatusReport all;
  all.tunnels.emplace_back().facility = "alpha";
  all.counters = {{"guard-in-other-facility", 7}, {"initiations-withheld", 0}};
  return all;
}

bool report_fits(auto change) {
  auto changed = report();
  change(changed);
  return fits(changed);
}

}  // namespace

TEST_CASE("accessd: an event names a facility as one can be named, and says no more than a sentence") {
  CHECK(fits(events("alpha", "no answer")));
  CHECK(fits(events("", std::string(core::kLongestDetail, 'x'))));
  CHECK_FALSE(fits(events("", std::string(core::kLongestDetail + 1, 'x'))));
  CHECK_FALSE(fits(events("Alpha", "")));
  CHECK_FALSE(fits(events("alpha\n", "")));
  CHECK_FALSE(fits(events(std::string(32, 'a'), "")));
  auto many = events("alpha", "");
  many.events.resize(core::EventQueue::kMost, many.events[0]);
  CHECK(fits(many));
  many.events.push_back(many.events[0]);
  CHECK_FALSE(fits(many));
}

// A router that offers hundreds of networks is refused in many words: longer than accessd takes, they would cost
// tunneld its channel.
TEST_CASE("accessd: what a tunnel has to say is cut to what is taken, and stays text") {
  for (const std::string& unit : {std::string("x"), std::string("\xe5\x87\xbd"), std::string("a\xc3\xa9")})
    for (std::size_t extra = 0; extra < 8; ++extra) {
      std::string detail(extra, 'y');
      while (detail.size() <= core::kLongestDetail + 20) detail += unit;
      core::shorten(detail);
      CHECK(fits(events("alpha", detail)));
      CHECK(detail.ends_with("..."));
      const std::string kept = detail.substr(extra, detail.size() - extra - 3);
      REQUIRE(kept.size() % unit.size() <= (unit.size() == 3 ? 1u : 0u));  // "a" may stand without its neighbour
      CHECK(kept.size() > core::kLongestDetail - 20);
    }
  std::string whole(core::kLongestDetail, 'x');
  core::shorten(whole);
  CHECK(whole == std::string(core::kLongestDetail, 'x'));
}

TEST_CASE("accessd: a status report has tunnels with names and as many counters as our processes count") {
  CHECK(report_fits([](auto&) {}));
  CHECK_FALSE(report_fits([](auto& all) { all.tunnels[0].facility.clear(); }));
  CHECK_FALSE(report_fits([](auto& all) { all.tunnels[0].facility = "../alpha"; }));
  CHECK_FALSE(report_fits([](auto& all) { all.tunnels[0].problem.assign(core::kLongestDetail + 1, 'x'); }));
  CHECK_FALSE(report_fits([](auto& all) { all.tunnels[0].negotiated.assign(core::kLongestDetail + 1, 'x'); }));
  const config::value::Instant before(std::chrono::nanoseconds(-1)), begin{};
  CHECK(report_fits([&](auto& all) { all.tunnels[0].since = all.tunnels[0].last_heard = begin; }));
  CHECK_FALSE(report_fits([&](auto& all) { all.tunnels[0].since = before; }));
  CHECK_FALSE(report_fits([&](auto& all) { all.tunnels[0].last_heard = before; }));
  CHECK_FALSE(report_fits([&](auto& all) { all.tunnels[0].last_handshake = before; }));
  CHECK_FALSE(report_fits([&](auto& all) { all.tunnels[0].problem_since = before; }));
  CHECK_FALSE(report_fits(
      [](auto& all) { all.tunnels[0].certificate_expires = config::value::WallTime(std::chrono::seconds(-1)); }));
  CHECK_FALSE(report_fits([](auto& all) { all.counters[0].name = "guard-in \"x\""; }));
  CHECK_FALSE(report_fits([](auto& all) { all.counters[0].name.clear(); }));
  CHECK_FALSE(report_fits([](auto& all) { all.counters[0].name.assign(65, 'g'); }));
  CHECK_FALSE(report_fits([](auto& all) { all.counters.resize(daemon::kMostNamedCounters + 1, all.counters[0]); }));
}

TEST_CASE("accessd: a timestamp floor asked for again and again leads no further than a day (S18)") {
  constexpr std::uint64_t kClock = 1'790'000'000, kDay = 86'400;
  CHECK(daemon::furthest_floor(kClock, 0, 5) == kClock + kDay);
  CHECK(daemon::furthest_floor(kClock, kClock - 100, 5) == kClock + kDay);
  // the clock is behind what an earlier run used: from there on, with the time that passes
  CHECK(daemon::furthest_floor(kClock, kClock + 1000, 5) == kClock + 1005 + kDay);
}
