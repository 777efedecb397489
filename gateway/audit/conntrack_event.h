// A connection-tracking event as the kernel sends it (linux/netfilter/nfnetlink_conntrack.h), read with bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "config/value/address.h"
#include "config/value/instant.h"
#include "gateway/audit/netlink_attributes.h"

namespace gateway::audit {

struct Tuple {
  config::value::IpAddress source, destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0, destination_port = 0;  // ICMP: identifier, and type << 8 | code
  friend auto operator<=>(const Tuple&, const Tuple&) = default;
};

struct Traffic {
  std::uint64_t packets = 0, bytes = 0;
};

struct ConntrackEvent {
  enum class Kind : std::uint8_t { kNew, kUpdate, kDestroy };
  Kind kind = Kind::kNew;
  std::uint32_t id = 0;  // of the kernel, reused after the flow's end
  Tuple original;
  std::uint32_t mark = 0;
  std::optional<std::uint8_t> tcp_state;  // enum tcp_conntrack
  std::optional<Traffic> sent, answered;  // original and reply direction; on destroy, with nf_conntrack_acct
  std::optional<config::value::WallTime> started, stopped;  // with nf_conntrack_timestamp
};

// All events of one datagram; messages of other kinds and malformed ones are left out and counted.
struct ConntrackEvents {
  std::vector<ConntrackEvent> events;
  std::uint32_t malformed = 0;
};
[[nodiscard]] ConntrackEvents read_conntrack_events(Octets datagram);

}  // namespace gateway::audit
