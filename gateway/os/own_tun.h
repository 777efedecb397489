// The TUN device of sekisho-wg: gone with the process that holds it, and set up and down, renamed and removed by
// others, which is followed here. Packets on it: tun_queue.h. The gateway's own device: tun_device.h.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"
#include "gateway/os/tun_device.h"

namespace gateway::os {

// Makes the device, down, with `mtu`. EBUSY: another process holds one of that name; EINVAL: not a name.
[[nodiscard]] OsResult<AttachedTun> open_own_tun(const std::string& name, std::uint16_t mtu);

struct TunLink {
  bool there = false;
  bool up = false;
  std::uint16_t mtu = 0;
};

// How the device is now. Moved to another network namespace it is there and counts as up, with `mtu_before`: nothing of
// it can be asked from here.
[[nodiscard]] TunLink tun_link(int tun, std::uint16_t mtu_before);

// Readable when some link of this network namespace has changed.
[[nodiscard]] OsResult<FileDescriptor> open_link_changes();
// Takes off what is there; which link it was is not asked.
void drain_link_changes(int descriptor);

}  // namespace gateway::os
