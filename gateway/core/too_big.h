// "Fragmentation needed" (RFC 792, RFC 1191) and "packet too big" (RFC 4443 3.2) for packets larger than a facility's
// MTU, in the name of the host they were sent to, so that the answer returns by the road of that flow.
#pragma once

#include "gateway/core/inner_packet.h"

namespace gateway::core {

// 20 + 8 octets and 548 of the packet for IPv4 (RFC 1812 4.3.2.3), 1232 in all for IPv6's 1280.
inline constexpr std::size_t kLargestTooBig = 1280;

// Whether an answer may be made at all: never about an ICMP error or a later fragment (RFC 1122 3.2.2).
[[nodiscard]] bool answers_too_big(const InnerPacketView& view);
// Writes the answer into `out` (kLargestTooBig octets) and returns the part used.
[[nodiscard]] tunnel::wire::Bytes make_too_big(tunnel::wire::ConstBytes packet, const InnerPacketView& view,
                                               std::uint16_t mtu, tunnel::wire::Bytes out);

}  // namespace gateway::core
