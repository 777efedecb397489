// What the data plane changes in a packet that passes: the MSS of a SYN (RFC 9293 3.7.1), the ECN bits that come out of
// a tunnel (RFC 6040 4.2). Checksums change incrementally.
#pragma once

#include "gateway/core/inner_packet.h"

namespace gateway::core {

// Lowers, never raises, the MSS option of a SYN to what `mtu` octets of inner packet carry.
void clamp_mss(tunnel::wire::Bytes bytes, const InnerPacketView& view, std::uint16_t mtu);
// Takes the outer header's two bits into the inner one. kEcn: congestion was marked and the inner cannot carry it.
[[nodiscard]] Refusal merge_ecn(tunnel::wire::Bytes bytes, bool v4, std::uint8_t outer);

}  // namespace gateway::core
