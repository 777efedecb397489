// A seeded network between the two nodes of a Pair: it loses, repeats and reorders datagrams, and time jumps to what is
// next.
#pragma once

#include <queue>

#include "tests/sim/nodes.h"

namespace sim {

struct NetworkParams {
  std::uint64_t seed = 1;
  std::uint32_t loss_per_mille = 0;
  std::uint32_t repeat_per_mille = 0;
  std::chrono::microseconds delay = 20ms;
  std::chrono::microseconds spread{};  // added to the delay, uniform: more than the gap between packets reorders them
};

class Network {
 public:
  Network(Pair& pair, NetworkParams params) : pair_(pair), params_(params), dice_(params.seed) {}

  // Everything that happens until `until`; `pair.now` ends there.
  void run(Instant until) {
    for (;;) {
      collect();
      const Instant next = next_event();
      if (next > until) break;
      pair_.now = std::max(pair_.now, next);
      step();
    }
    pair_.now = until;
  }
  std::size_t carried = 0, lost = 0;

 private:
  struct Flight {
    Instant arrives;
    std::uint64_t number;  // ties in the order sent
    bool to_b;
    Sent sent;
    bool operator>(const Flight& other) const {
      return std::tie(arrives, number) > std::tie(other.arrives, other.number);
    }
  };

  bool chance(std::uint32_t per_mille) { return per_mille > 0 && dice_.below(1000) < per_mille; }
  void collect() {
    for (Sent& s : pair_.a.take_sent()) launch(std::move(s), true);
    for (Sent& s : pair_.b.take_sent()) launch(std::move(s), false);
  }
  void launch(Sent sent, bool to_b) {
    if (chance(params_.repeat_per_mille)) flights_.push({arrival(), ++number_, to_b, sent});
    if (chance(params_.loss_per_mille)) {
      ++lost;
    } else {
      flights_.push({arrival(), ++number_, to_b, std::move(sent)});
    }
  }
  Instant arrival() {
    const auto spread = static_cast<std::uint32_t>(params_.spread.count());
    return pair_.now + params_.delay + std::chrono::microseconds(spread == 0 ? 0 : dice_.below(spread));
  }
  Instant next_event() const {
    Instant next = flights_.empty() ? Instant::max() : flights_.top().arrives;
    for (const Node* node : {&pair_.a, &pair_.b})
      next = std::min(next, node->endpoint->next_deadline().value_or(Instant::max()));
    return next;
  }
  void step() {
    while (!flights_.empty() && flights_.top().arrives <= pair_.now) {
      Flight flight = flights_.top();
      flights_.pop();
      ++carried;
      Node& to = flight.to_b ? pair_.b : pair_.a;
      const Node& from = flight.to_b ? pair_.a : pair_.b;
      to.receive(std::move(flight.sent.bytes), from.address, pair_.now, flight.sent.ecn);
    }
    pair_.a.on_deadline(pair_.now);
    pair_.b.on_deadline(pair_.now);
  }

  Pair& pair_;
  NetworkParams params_;
  SeededRng dice_;
  std::uint64_t number_ = 0;
  std::priority_queue<Flight, std::vector<Flight>, std::greater<>> flights_;
};

}  // namespace sim
