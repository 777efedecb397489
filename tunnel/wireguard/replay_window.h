// Which counters of a session were seen (WireGuard 5.4.6), with the end of the counter (6.1).
#pragma once

#include "tunnel/wire/replay_window.h"
#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

class ReplayWindow {
 public:
  static constexpr std::uint64_t kSize = wire::ReplayWindow::kSize;

  // Marks `counter` as seen. False: seen before, too old, or at or past kRejectAfterMessages. Only for authenticated
  // packets.
  [[nodiscard]] bool accept(std::uint64_t counter) { return counter < kRejectAfterMessages && window_.accept(counter); }

 private:
  wire::ReplayWindow window_;
};

}  // namespace tunnel::wireguard
