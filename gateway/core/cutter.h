// The packets of a super-packet, as a device with segmentation offload would send them (Virtual I/O Device 1.1,
// 5.1.6.2.1): TCP segments (RFC 9293 3.1) or UDP datagrams of `segment_size` octets of payload, the last one shorter.
#pragma once

#include <vector>

#include "gateway/core/inner_packet.h"
#include "tunnel/wire/outputs.h"

namespace gateway::core {

inline constexpr std::size_t kMostSegments =
    1024;  // of one super-packet; a TCP that sends less than 64 octets each does not ask for this

// Octets of the largest packet that cut() would make; for a packet that is none, its own length.
[[nodiscard]] std::size_t largest_segment(const InnerPacketView& view, tunnel::wire::ConstBytes bytes,
                                          const tunnel::wire::Segmentation& segmentation);

// Appends to `out`; the octets are in `arena`, each packet with room around it (tunnel/wire/packet.h). Checksums are
// computed anew. kSuperPacket: what the header says does not fit the packet, and nothing was appended.
[[nodiscard]] Refusal cut(const InnerPacketView& view, tunnel::wire::ConstBytes bytes,
                          const tunnel::wire::Segmentation& segmentation, tunnel::wire::Arena& arena,
                          std::vector<tunnel::wire::Bytes>& out);

}  // namespace gateway::core
