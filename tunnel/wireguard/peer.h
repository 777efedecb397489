// Everything the endpoint keeps for one peer.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "tunnel/wireguard/cookie.h"
#include "tunnel/wireguard/endpoint.h"
#include "tunnel/wireguard/failure.h"
#include "tunnel/wireguard/handshake_response.h"
#include "tunnel/wireguard/session.h"
#include "tunnel/wireguard/source_filter.h"
#include "tunnel/wireguard/timers.h"

namespace tunnel::wireguard {

// Empty: any.
[[nodiscard]] inline bool source_allowed(const std::vector<wire::Prefix>& sources, const wire::IpAddress& source) {
  return sources.empty() || std::ranges::any_of(sources, [&](const wire::Prefix& p) { return p.contains(source); });
}

// At most one event a second; remembers that this one is told.
[[nodiscard]] inline bool first_in_a_second(std::optional<Instant>& told, Instant now) {
  if (told && now - *told < std::chrono::seconds(1)) return false;
  told = now;
  return true;
}

struct Peer {
  explicit Peer(const PeerParams& wanted) : params(wanted), cookies(wanted.public_key), allowed(wanted.allowed) {}

  PeerParams params;
  CookieJar cookies;
  SourceFilter allowed;
  std::optional<wire::OuterPath> path;       // where the peer was last authenticated, or is configured to be
  std::optional<InitiatorState> initiation;  // sent, waiting for its response

  // WireGuard 6.2, and the responder's rule of 5.4.5: `next` is ours as responder until the initiator has used it.
  std::unique_ptr<Session> older, previous, current, next;

  Timers timers;
  Timestamp greatest_timestamp{};  // of accepted initiations
  std::optional<Instant> initiation_accepted;
  std::optional<Instant> initiation_sent;
  bool queued = false;    // wants to call, waits for its turn
  bool withheld = false;  // in the endpoint's list of initiations that wait for a durable timestamp
  std::optional<Instant> moved_told, source_refused_told;  // events a peer could make at will
  std::array<std::optional<Instant>, static_cast<std::size_t>(Failure::kCount)> failure_told;
  std::optional<Instant> problem_seen;  // counters.problem, the last time
  std::uint32_t unconfirmed = 0;        // responses of ours since the last that was taken up
  std::deque<std::vector<std::uint8_t>> staged;
  PeerCounters counters;
  std::size_t heap_position = SIZE_MAX;  // owned by DeadlineHeap
  Instant wakes = kNever;                // owned by DeadlineHeap

  [[nodiscard]] bool outer_source_allowed(const wire::IpAddress& source) const {
    return source_allowed(params.outer_sources, source);
  }
  [[nodiscard]] Session* sendable(Instant now) const {
    return current && current->may_send(now) ? current.get() : nullptr;
  }
};

}  // namespace tunnel::wireguard
