// One keypair of a peer (WireGuard 5.4.5, 5.4.6): two keys, two indices, a sending counter and the window of received
// ones.
#pragma once

#include "tunnel/crypto/secret.h"
#include "tunnel/wireguard/replay_window.h"

namespace tunnel::wireguard {

struct Session {
  crypto::Secret<32> sending;
  crypto::Secret<32> receiving;
  std::uint32_t local_index = 0;
  std::uint32_t remote_index = 0;
  Instant created{};
  bool initiator = false;
  std::uint64_t next_counter = 0;
  ReplayWindow window;

  [[nodiscard]] Duration age(Instant now) const { return now - created; }
  // WireGuard 6.2: neither side uses a key beyond REJECT-AFTER-TIME or REJECT-AFTER-MESSAGES.
  [[nodiscard]] bool usable(Instant now) const { return age(now) < kRejectAfterTime; }
  // Either side renews by count.
  [[nodiscard]] bool worn() const { return next_counter > kRekeyAfterMessages; }
  [[nodiscard]] bool may_send(Instant now) const { return usable(now) && next_counter < kRejectAfterMessages; }
};

}  // namespace tunnel::wireguard
