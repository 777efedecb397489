// What this machine is like, for `sekisho doctor`. Looks only; nothing is loaded, set or made.
#pragma once

#include <optional>
#include <string>

namespace gateway::os {

[[nodiscard]] bool has_tun();        // /dev/net/tun opens; false also without the rights to
[[nodiscard]] bool has_netfilter();  // the kernel has NETLINK_NETFILTER
[[nodiscard]] bool has_routing();    // the kernel has NETLINK_ROUTE
[[nodiscard]] bool has_ipv6();
[[nodiscard]] bool has_interface(const std::string& name);
[[nodiscard]] bool clock_synchronised();  // the kernel was told so by an NTP client
// 07777 of a file or folder, symbolic links followed; empty when it is not there.
[[nodiscard]] std::optional<unsigned> permission_bits(const std::string& path);

}  // namespace gateway::os
