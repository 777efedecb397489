// The one TUN device: packets of up to 64 KiB with a virtio_net_hdr before each. Persistent: without a reader it drops.
// No multicast: the gateway says nothing of its own into the tunnels.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

struct AttachedTun {
  FileDescriptor descriptor;
  std::string name;  // as the kernel has it: "wg%d" becomes "wg0"
};
// A device that goes with its descriptor, unless it was there and persistent. EINVAL: no name of an interface.
[[nodiscard]] OsResult<AttachedTun> attach_tun(const std::string& name);
// Opens (or attaches to) the persistent device, which only this user and CAP_NET_ADMIN may attach to from then on.
// EBUSY: another descriptor is attached to it.
[[nodiscard]] OsResult<FileDescriptor> open_tun(const std::string& name);
// Of the device that the descriptor is attached to, as the kernel numbers interfaces; 0: of none.
[[nodiscard]] std::uint32_t tun_index(int descriptor);
// True while the descriptor is attached to a device that exists.
[[nodiscard]] bool tun_attached(int descriptor);

}  // namespace gateway::os
