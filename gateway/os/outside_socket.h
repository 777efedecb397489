// The sockets where tunnels are answered: UDP, and protocol 50. Bound by netd, used by the data plane.
#pragma once

#include <optional>

#include "config/value/address.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// Also for an address the host does not have yet (IP_FREEBIND). Each datagram comes with its local address (IP_PKTINFO,
// IPV6_PKTINFO) and its TOS or traffic class; buffers of 4 MiB.
[[nodiscard]] OsResult<FileDescriptor> bind_outside(const config::value::SocketAddress& address);

// SO_MARK of what leaves by the socket, for routing rules; 0: none. Needs CAP_NET_ADMIN.
[[nodiscard]] OsResult<void> set_mark(int descriptor, std::uint32_t mark);

// IP protocol 50 for an address (RFC 4303 without UDP). Needs CAP_NET_RAW. IPv4 gives its packets with their header.
[[nodiscard]] OsResult<FileDescriptor> bind_outside_esp(const config::value::IpAddress& address);

// What a bound socket answers on, port 0 for protocol 50; nothing when it is neither.
[[nodiscard]] std::optional<config::value::SocketAddress> bound_address(int descriptor);

}  // namespace gateway::os
