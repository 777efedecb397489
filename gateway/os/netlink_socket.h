// A raw netlink socket bound to multicast groups, for what is only read.
#pragma once

#include <span>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

inline constexpr int kNetlinkBuffer = 8 << 20;  // octets; a burst of some 20,000 events

[[nodiscard]] OsResult<FileDescriptor> open_netlink(int protocol, std::span<const unsigned int> groups);

}  // namespace gateway::os
