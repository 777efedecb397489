// The kernel parameters the gateway depends on, and forwarding, which is switched on last and off first.
#pragma once

#include <string>
#include <vector>

#include "gateway/core/live_state.h"
#include "gateway/os/error.h"
#include "policy/plan.h"

namespace gateway::daemon {

// Before the tunnel device is set up: no redirects, no source routes, no router advertisements; from outside, of
// advertisements only the default route.
[[nodiscard]] os::OsResult<void> prepare_interfaces(const policy::Plan& plan);

// The kernel's queues of fragments: at least 32 MiB each, at most 10 s (firewall/entry_chains.cc counts with that).
// What this namespace may not write, or has wider already, stays.
void widen_fragment_queues();

// No program of this machine is given a port of the tunnels by chance (an outgoing query's source port): it would keep
// the gateway from starting. Who asks for the port by name still gets it.
void reserve_ports(const policy::Plan& plan);

// IPv4 of each of our interfaces: switched with all at once, and by themselves too.
[[nodiscard]] os::OsResult<void> set_interface_forwarding(bool on, const policy::Plan& plan);

// Both families. On: keeps router advertisements working on the outside interface (accept_ra 1 becomes 2).
[[nodiscard]] os::OsResult<void> set_forwarding(bool on, const std::string& outside_interface);

// Each parameter that we set and that is there, as it is and as it should be. Of those that are the host's (not `ours`)
// the ones that are wrong: they are told, and not set.
[[nodiscard]] std::vector<core::KernelParameter> parameters(const policy::Plan& plan, bool forwarding);

// Names what does not stand as prepare_interfaces, set_forwarding(forwarding) and set_interface_forwarding(forwarding)
// left it. Of the host's nothing.
[[nodiscard]] std::vector<std::string> wrong_sysctls(const policy::Plan& plan, bool forwarding);

}  // namespace gateway::daemon
