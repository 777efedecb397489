// The UDP sockets where tunnels are answered. Bound by netd, used by the data plane.
#pragma once

#include <optional>

#include "config/value/address.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// Also for an address the host does not have yet (IP_FREEBIND). Each datagram comes with its local address (IP_PKTINFO,
// IPV6_PKTINFO) and its TOS or traffic class; buffers of 4 MiB.
[[nodiscard]] OsResult<FileDescriptor> bind_outside(const config::value::SocketAddress& address);

// What a bound socket answers on; nothing when it is not a bound UDP socket.
[[nodiscard]] std::optional<config::value::SocketAddress> bound_address(int descriptor);

}  // namespace gateway::os
