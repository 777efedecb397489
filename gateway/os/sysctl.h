// Kernel parameters under /proc/sys of the current network namespace.
#pragma once

#include <string>
#include <vector>

#include "gateway/os/error.h"

namespace gateway::os {

inline constexpr std::size_t kLongestSysctl = 4096;  // octets; of a longer value the rest is not read

// `path` below /proc/sys, as "net/ipv4/ip_forward" (a "." may stand in an interface name).
[[nodiscard]] OsResult<std::string> read_sysctl(const std::string& path);
// Writes only when the value differs.
[[nodiscard]] OsResult<void> write_sysctl(const std::string& path, const std::string& value);
// Names below a folder of /proc/sys: the interfaces of "net/ipv4/conf".
[[nodiscard]] std::vector<std::string> list_sysctl(const std::string& path);

}  // namespace gateway::os
