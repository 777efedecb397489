// Events of the tunnels on their way to accessd, bounded: while it is away or does not read, the oldest go, and how
// many went is told with the next.
#pragma once

#include <deque>

#include "gateway/core/messages.h"

namespace gateway::core {

class EventQueue {
 public:
  static constexpr std::size_t kMost = 1024;

  void push(TunnelEvent event) {
    if (events_.size() == kMost) events_.pop_front(), ++lost_;
    events_.push_back(std::move(event));
  }
  [[nodiscard]] bool empty() const { return events_.empty() && lost_ == 0; }
  // All that waits, in order. It goes on waiting until told(): a message that could not be sent has lost nothing.
  [[nodiscard]] TunnelEvents waiting() const { return {{events_.begin(), events_.end()}, lost_}; }
  void told() { events_.clear(), lost_ = 0; }

 private:
  std::deque<TunnelEvent> events_;
  std::uint64_t lost_ = 0;
};

}  // namespace gateway::core
