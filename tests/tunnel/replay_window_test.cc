// WireGuard 5.4.6: the singles and sweeps of the reference implementation's self test, as a table of our own.
#include <catch2/catch.hpp>

#include <set>

#include "tests/sim/nodes.h"
#include "tunnel/wireguard/replay_window.h"

using tunnel::wireguard::kRejectAfterMessages;
using tunnel::wireguard::ReplayWindow;

namespace {

constexpr std::uint64_t kW = ReplayWindow::kSize;

struct Step {
  std::uint64_t counter;
  bool accepted;
};

std::size_t accepted_of(ReplayWindow& window, std::uint64_t from, std::uint64_t to) {
  std::size_t count = 0;
  for (std::uint64_t c = from; c != to; from < to ? ++c : --c) count += window.accept(c) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("the window is 8128 counters wide") {
  CHECK(kW == 8128);
}

TEST_CASE("34 single counters in one session") {
  constexpr std::uint64_t kR = kRejectAfterMessages;
  const Step steps[] = {
      {0, true},
      {1, true},
      {1, false},
      {9, true},
      {8, true},
      {7, true},
      {7, false},
      {kW, true},
      {kW - 1, true},
      {kW - 1, false},
      {kW - 2, true},
      {2, true},
      {2, false},
      {kW + 16, true},
      {3, false},
      {kW + 16, false},
      {kW * 4, true},
      {kW * 4 - (kW - 1), true},
      {10, false},
      {kW * 4 - kW, true},
      {kW * 4 - (kW + 1), false},
      {kW * 4 - (kW - 2), true},
      {kW * 4 + 1 - kW, false},
      {0, false},
      {kR, false},
      {kR - 1, true},
      {kR, false},
      {kR - 1, false},
      {kR - 2, true},
      {kR + 1, false},
      {kR + 2, false},
      {kR - 2, false},
      {kR - 3, true},
      {0, false},
  };
  ReplayWindow window;
  std::size_t number = 0;
  for (const Step& step : steps) {
    INFO("step " << ++number << ", counter " << step.counter);
    CHECK(window.accept(step.counter) == step.accepted);
  }
  CHECK(number == 34);
}

TEST_CASE("six sweeps over the edges") {
  ReplayWindow up, down, gap, down_gap, edge, beyond;
  CHECK(accepted_of(up, 1, kW + 1) == kW);
  CHECK((up.accept(0) && !up.accept(0)));
  CHECK(accepted_of(gap, 2, kW + 2) == kW);
  CHECK((gap.accept(1) && !gap.accept(0)));
  CHECK(accepted_of(down, kW + 1, 0) == kW + 1);
  CHECK(!down.accept(0));
  CHECK(accepted_of(down_gap, kW + 2, 1) == kW + 1);
  CHECK((!down_gap.accept(1) && !down_gap.accept(0)));
  CHECK(accepted_of(edge, kW, 0) == kW);
  CHECK((edge.accept(kW + 1) && !edge.accept(0)));
  CHECK(accepted_of(beyond, kW, 0) == kW);
  CHECK((beyond.accept(0) && beyond.accept(kW + 1)));
}

TEST_CASE("random counters agree with a naive set") {
  sim::SeededRng rng(7);
  ReplayWindow window;
  std::set<std::uint64_t> seen;
  std::uint64_t highest = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t base = highest > 10'000 ? highest - 10'000 : 0;
    const std::uint64_t counter = rng.below(2000) == 0 ? highest + rng.below(30'000) : base + rng.below(10'200);
    const bool expected = !seen.contains(counter) && counter + kW >= highest;
    REQUIRE(window.accept(counter) == expected);
    if (expected) seen.insert(counter);
    if (expected) highest = std::max(highest, counter);
  }
}
