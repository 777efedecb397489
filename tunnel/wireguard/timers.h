// When one peer wants to be woken, and why (WireGuard 6). Only instants: what to do then stands in the endpoint.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tunnel/wireguard/constants.h"

namespace tunnel::wireguard {

struct Timers {
  Instant retransmit = kNever;            // 6.4: no response within REKEY-TIMEOUT and jitter
  Instant keepalive = kNever;             // 6.5: data came in, nothing went out for KEEPALIVE-TIMEOUT
  Instant new_handshake = kNever;         // 6.5: data went out, nothing came back for KEEPALIVE- plus REKEY-TIMEOUT
  Instant persistent_keepalive = kNever;  // nothing in either direction for the configured interval
  Instant session_end = kNever;           // 6.2: the current session reaches REJECT-AFTER-TIME
  Instant zero_keys = kNever;             // 6.3: three times REJECT-AFTER-TIME without a new session
  Instant attempt_until = kNever;         // 6.4: give up at REKEY-ATTEMPT-TIME
  bool another_keepalive = false;         // data came in while `keepalive` was already set
  bool asked_late_rekey = false;          // one handshake asked for by a receiver at the end of a session

  [[nodiscard]] Instant next() const {
    return std::min({retransmit, keepalive, new_handshake, persistent_keepalive, session_end, zero_keys});
  }
  void data_sent(Instant now, Duration jitter) {
    if (new_handshake == kNever) new_handshake = now + kKeepaliveTimeout + kRekeyTimeout + jitter;
  }
  void data_received(Instant now) {
    if (keepalive == kNever) {
      keepalive = now + kKeepaliveTimeout;
    } else {
      another_keepalive = true;
    }
  }
  // Anything authenticated, a handshake message and a keepalive included.
  void sent(Instant now, Duration persistent_interval) {
    keepalive = kNever;
    another_keepalive = false;
    traversed(now, persistent_interval);
  }
  void received(Instant now, Duration persistent_interval) {
    new_handshake = kNever;
    traversed(now, persistent_interval);
  }
  void traversed(Instant now, Duration persistent_interval) {
    persistent_keepalive = persistent_interval > Duration::zero() ? now + persistent_interval : kNever;
  }
  void initiation_sent(Instant now, Duration jitter) { retransmit = now + kRekeyTimeout + jitter; }
  void session_made(Instant now) { zero_keys = now + kZeroKeysAfter; }
  void handshake_complete() {
    retransmit = kNever;
    attempt_until = kNever;
    asked_late_rekey = false;
  }
};

}  // namespace tunnel::wireguard
