// The last words of an IKE SA whose keys and CHILD SAs are gone already: its Delete, until the peer has answered it
// (RFC 7296 1.4.1, 2.1). A request that was still open goes first, for the peer takes no other before it (2.3).
#pragma once

#include <optional>

#include "tunnel/ike/key_material.h"
#include "tunnel/ike/window.h"

namespace tunnel::ike {

inline constexpr std::size_t kMostFarewells = 1024;  // further ones are said once
inline constexpr Backoff kFarewellBackoff{.first = std::chrono::milliseconds(500),
                                          .longest = std::chrono::seconds(10),
                                          .tries = 6};  // 14 s; then the peer's own liveness check finds out

struct Farewell {
  wire::OuterPath path;
  bool encapsulated = false;
  OurRequests requests;           // the one that is out
  std::optional<Datagrams> then;  // the Delete, when another is out
};

}  // namespace tunnel::ike
