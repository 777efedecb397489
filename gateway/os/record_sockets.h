// The two netlink sockets the records are made from. Opened by netd, which may; read by accessd, which may only read.
#pragma once

#include <cstdint>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// Events of new, changed and ended flows of this network namespace. ENOBUFS on reading: some were lost.
[[nodiscard]] OsResult<FileDescriptor> open_conntrack_events();

// Packets logged to `group`: their first 128 octets and the log prefix.
[[nodiscard]] OsResult<FileDescriptor> open_nflog(std::uint16_t group);

// Byte counts and start times for flows made from now on.
[[nodiscard]] OsResult<void> enable_conntrack_accounting();

}  // namespace gateway::os
