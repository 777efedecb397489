// What this machine is like, for `sekisho doctor`. Looks only; nothing is loaded, set or made.
#pragma once

#include <optional>
#include <string>

#include "config/load.h"

namespace gateway::os {

[[nodiscard]] bool has_tun();        // /dev/net/tun opens; false also without the rights to
[[nodiscard]] bool has_netfilter();  // the kernel has NETLINK_NETFILTER
[[nodiscard]] bool has_routing();    // the kernel has NETLINK_ROUTE
[[nodiscard]] bool has_ipv6();
[[nodiscard]] bool has_interface(const std::string& name);
// Every interface and address of this network namespace; empty when the kernel does not tell.
[[nodiscard]] config::HostFacts host_facts();
[[nodiscard]] bool is_root();  // by effective uid
// The name of the group that owns `path`, or its number; empty when even that may not be seen.
[[nodiscard]] std::optional<std::string> group_of(const std::string& path);
[[nodiscard]] bool clock_synchronised();  // the kernel was told so by an NTP client
// 07777 of a file or folder, symbolic links followed; empty when it is not there.
[[nodiscard]] std::optional<unsigned> permission_bits(const std::string& path);

}  // namespace gateway::os
