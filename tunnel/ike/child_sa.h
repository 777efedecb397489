// One CHILD SA: a pair of ESP SAs made by one exchange (RFC 7296 1.3, 2.8, 2.17). What it may carry, how long it lives,
// and where it stands in being replaced or closed. The packets are tunnel/esp's.
#pragma once

#include <optional>
#include <vector>

#include "tunnel/esp/inbound_sa.h"
#include "tunnel/esp/outbound_sa.h"
#include "tunnel/ike/negotiation.h"
#include "tunnel/ike/selectors.h"
#include "tunnel/ike/window.h"

namespace tunnel::ike {

struct ChildSa {
  // In this order in the life of most; a CHILD SA may go from any of the first three to any later one.
  enum class Phase : std::uint8_t {
    kUsed,
    kRekeying,   // our CREATE_CHILD_SA to replace it is outstanding
    kReplaced,   // another has taken its place; whoever replaced it deletes it
    kDeleting,   // our Delete is outstanding or about to go
    kLingering,  // closed at both ends; still opens what was under way (until `ends`)
  };

  std::uint32_t in_spi = 0;   // ours: of packets to us
  std::uint32_t out_spi = 0;  // the peer's
  EspChoice suite;
  std::vector<Selector> peer, ours;
  std::optional<esp::InboundSa> inbound;    // until the end
  std::optional<esp::OutboundSa> outbound;  // none when closed
  Phase phase = Phase::kUsed;
  // False: the peer began the rekeying that made it and may not have our answer yet, so the old one is sent on until
  // something comes in on this one or the old one is closed (RFC 7296 2.8).
  bool sends = true;
  bool used_up = false;          // its octets or numbers come to an end, and it is to be rekeyed for that
  bool barred = false;           // no longer allowed, or its life is over: nothing comes in on it either
  std::uint32_t replaces = 0;    // in_spi of the one it was made to replace; 0: none
  std::uint64_t order = 0;       // rises with every CHILD SA of the endpoint: the newest is used
  wire::Instant rekey = kNever;  // soft end of life
  // Hard end: it is deleted, and opens what was under way a moment longer; of a lingering one, when it is forgotten.
  wire::Instant ends = kNever;

  [[nodiscard]] bool may_send() const {
    return sends && (phase == Phase::kUsed || phase == Phase::kRekeying || phase == Phase::kReplaced);
  }
  // Not before the peer is known to have it: asked to replace what it does not know, it says CHILD_SA_NOT_FOUND, and we
  // would give up (RFC 7296 2.25.1) what it learns of a moment later.
  [[nodiscard]] bool may_be_rekeyed() const { return phase == Phase::kUsed && sends; }
  [[nodiscard]] bool closed() const { return phase == Phase::kLingering; }
};

}  // namespace tunnel::ike
