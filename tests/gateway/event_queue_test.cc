// Events that accessd did not hear of are counted, and the count arrives.
#include "gateway/core/event_queue.h"

#include <catch2/catch.hpp>

using gateway::core::EventQueue;
using gateway::core::TunnelEvent;

namespace {

void push(EventQueue& queue, std::size_t first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    TunnelEvent event;
    event.detail = std::to_string(first + i);
    queue.push(event);
  }
}

}  // namespace

TEST_CASE("event queue: what does not fit is counted, the newest stay, in order", "[events]") {
  EventQueue queue;
  CHECK(queue.empty());
  push(queue, 0, EventQueue::kMost);
  CHECK(queue.waiting().lost == 0);
  push(queue, EventQueue::kMost, 5);
  const auto told = queue.waiting();
  CHECK(told.lost == 5);
  REQUIRE(told.events.size() == EventQueue::kMost);
  CHECK((told.events.front().detail == "5" && told.events.back().detail == std::to_string(EventQueue::kMost + 4)));
}

TEST_CASE("event queue: what could not be sent waits on, what was told is not told again", "[events]") {
  EventQueue queue;
  push(queue, 0, EventQueue::kMost + 3);
  CHECK(queue.waiting().lost == 3);
  CHECK(queue.waiting().lost == 3);
  queue.told();
  CHECK(queue.empty());
  push(queue, 0, 1);
  CHECK((queue.waiting().lost == 0 && queue.waiting().events.size() == 1));
}
