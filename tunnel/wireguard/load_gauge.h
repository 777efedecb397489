// Are we under load (WireGuard 5.3)? Then a handshake message must also prove its address with mac2. What
// we began ourselves does not count: not our initiations, nor the first response to each.
#pragma once

#include <cstdint>
#include <optional>

#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

class LoadGauge {
 public:
  // A handshake message with a good mac1 that we did not ask for.
  void count(Instant now) {
    if (!window_ || now - *window_ >= 1s) window_ = now, count_ = 0;
    if (++count_ > kLoadedPerSecond) last_loaded_ = now;
  }
  // While `pending` steps of others wait for keys.
  [[nodiscard]] bool loaded(std::size_t pending, Instant now) {
    if (pending >= kLoadedPending) last_loaded_ = now;
    return last_loaded_ && now - *last_loaded_ < kLoadedFor;
  }

 private:
  std::optional<Instant> window_, last_loaded_;
  std::uint32_t count_ = 0;
};

}  // namespace tunnel::wireguard
