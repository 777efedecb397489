// When our own initiations may begin. After a start, or when many peers fall silent at once, all of them want to: they
// take turns, so that neither keyd nor the answers that come back are a flood of our own making. The more peers, the
// shorter the turn: everybody has one within REKEY-TIMEOUT (WireGuard 6.4), however many there are.
#pragma once

#include <algorithm>

#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

class InitiationPace {
 public:
  static constexpr Duration kLongestTurn = 2ms;
  static constexpr int kBurst = 64;  // turns that may be taken at once after a pause

  // Takes a turn when there is one; false: next() says when.
  [[nodiscard]] bool take(Instant now, std::size_t peers) {
    const auto shares = static_cast<std::int64_t>(std::max<std::size_t>(peers, 1));
    const Duration turn = std::min<Duration>(kLongestTurn, kRekeyTimeout / shares);
    next_ = std::max(next_, now - kBurst * turn);
    if (next_ > now) return false;
    next_ += turn;
    return true;
  }
  [[nodiscard]] Instant next() const { return next_; }

 private:
  Instant next_{};
};

}  // namespace tunnel::wireguard
