// Which ways of carrying many packets at once this kernel has, found out by asking for them.
#pragma once

#include <optional>

#include "gateway/os/tun_queue.h"
#include "gateway/os/udp_socket.h"

namespace gateway::os {

struct KernelOffloads {
  TunOffloads tun;
  UdpOffloads udp;
};

// In a network namespace that lasts as long as the call: nothing of this machine's networks changes. Empty: not allowed
// to make one, or no TUN.
[[nodiscard]] std::optional<KernelOffloads> probe_offloads();

}  // namespace gateway::os
