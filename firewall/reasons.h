// Why the firewall refused: the name is the counter in the table and the prefix of the NFLOG message (group 7100).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace firewall {

// Tracked at a time, of one facility. The kernel's table holds 262,144 on a machine with 8 GiB or more
// (nf_conntrack_max), for all of them and the host; full, it lets nobody open anything.
inline constexpr std::uint32_t kFlowsPerFacility = 16384;
inline constexpr std::uint32_t kFlowsOfHostUsers = 4096;  // all users of the gateway itself but root
inline constexpr std::uint16_t kLogGroup = 7100;
inline constexpr std::uint16_t kConntrackZone =
    7100;  // of every inner flow, so that it cannot collide with the host's own

struct RefusalReason {
  std::string_view name;
  std::string_view meaning;
  bool of_policy = false;  // a line of the configuration can change the answer
};

inline constexpr std::array<RefusalReason, 16> kRefusalReasons{{
    {"foreign_source", "out of a tunnel with a source that is no facility's (P2)", true},
    {"foreign_destination", "towards the tunnels with a destination that is no facility's (P3)", true},
    {"header_options", "IPv4 options or an IPv6 routing header from a tunnel (RFC 7126, RFC 5095)"},
    {"not_unicast", "multicast or broadcast from a tunnel"},
    {"invalid_state", "belongs to no flow and cannot open one"},
    {"not_permitted", "no permission for this flow, or it was removed", true},
    {"detour", "from one tunnel to another without an exchange, or past the gateway to a side where it may not go (P1)",
     true},
    {"to_gateway", "from a tunnel to the gateway itself"},
    {"outside_input", "from outside to a port of the gateway that is not the tunnels'"},
    {"outside_source", "from outside with a source that is not behind the outside interface: forged"},
    {"outside_error", "the gateway's own ICMP error on its way outside: it would quote somebody's packet in clear"},
    {"inside_source", "from inside to a facility with a source that is not behind the inside interface"},
    {"clear_leak", "to a facility on another interface than sekisho0, or to an inside host on the outside interface"},
    {"fragment_flood", "a fragment from outside beyond the rate that leaves room in the kernel's fragment queue"},
    {"flow_limit", "the facility, or the users of the gateway itself, have as many flows open as they may have"},
    {"icmp_redirect", "an ICMP redirect"},
}};

}  // namespace firewall
