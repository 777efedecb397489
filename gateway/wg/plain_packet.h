// As little of an inner packet as carrying it asks for. WireGuard carries whatever IP is, so nothing is judged here:
// what is not plain (IPv4 options, extension headers before the transport) only cannot be joined or cut.
#pragma once

#include <optional>

#include "gateway/core/inner_packet.h"

namespace gateway::wg {

// Of a packet from the TUN. Nothing when it is no whole IPv4 or IPv6 header.
[[nodiscard]] std::optional<config::value::IpAddress> destination_of(tunnel::wire::ConstBytes packet);

// What core::cut() must know of a super-packet: IPv4 without options or IPv6, with its TCP or UDP header behind.
// Nothing when it is not that.
[[nodiscard]] std::optional<core::InnerPacketView> super_view(tunnel::wire::ConstBytes packet);

// May be given to core::Coalescer with joins: it believes an IP header to be of 20 or 40 octets with a good checksum.
// `packet` is one that wire::inner_facts() understands.
[[nodiscard]] bool may_join(tunnel::wire::ConstBytes packet);

}  // namespace gateway::wg
