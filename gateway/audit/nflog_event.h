// A packet the kernel's rules refused, as NFLOG sends it (linux/netfilter/nfnetlink_log.h): prefix = reason, and the
// first octets of the packet, enough for its addresses and ports. Read with bounds; the packet is hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/audit/conntrack_event.h"

namespace gateway::audit {

struct NflogEvent {
  std::string reason;                                 // the rule's prefix, at most 64 octets, printable ASCII
  std::optional<Tuple> packet;                        // absent when the packet is too short or no IP
  std::uint32_t in_interface = 0, out_interface = 0;  // indices, 0: none
  std::uint32_t mark = 0;
};

struct NflogEvents {
  std::vector<NflogEvent> events;
  std::uint32_t malformed = 0;
};
[[nodiscard]] NflogEvents read_nflog_events(Octets datagram);

// Addresses, protocol and ports of the first header; IPv6 extension headers are not walked (then no ports).
[[nodiscard]] std::optional<Tuple> read_packet(Octets packet);

}  // namespace gateway::audit
