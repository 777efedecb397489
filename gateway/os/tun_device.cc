// IFF_VNET_HDR so that segmentation offload can cross the boundary (design 7); the reader sets the offloads itself.
#include "gateway/os/tun_device.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gateway::os {
namespace {

// Without it the kernel joins the all-routers groups when forwarding goes on, and reports that into the tunnels (MLD).
OsResult<void> leave_multicast(const std::string& name) {
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::copy(name.begin(), name.end(), request.ifr_name);
  if (!any.valid() || ioctl(any.number(), SIOCGIFFLAGS, &request) != 0)
    return std::unexpected(OsError{errno, "flags of " + name});
  if ((request.ifr_flags & IFF_MULTICAST) == 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_MULTICAST);
  if (ioctl(any.number(), SIOCSIFFLAGS, &request) != 0) return std::unexpected(OsError{errno, "flags of " + name});
  return {};
}

}  // namespace

OsResult<AttachedTun> attach_tun(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return std::unexpected(OsError{EINVAL, "interface \"" + name + "\""});
  FileDescriptor tun(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!tun.valid()) return std::unexpected(OsError{errno, "open /dev/net/tun"});
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  std::copy(name.begin(), name.end(), request.ifr_name);
  if (ioctl(tun.number(), TUNSETIFF, &request) != 0) return std::unexpected(OsError{errno, "TUNSETIFF " + name});
  return AttachedTun{std::move(tun), request.ifr_name};
}

OsResult<FileDescriptor> open_tun(const std::string& name) {
  auto attached = TRY(attach_tun(name));
  const FileDescriptor& tun = attached.descriptor;
  // Before it can outlive us: without an owner any user of this machine may attach to what a crash leaves behind.
  if (ioctl(tun.number(), TUNSETOWNER, geteuid()) != 0) return std::unexpected(OsError{errno, "TUNSETOWNER " + name});
  if (ioctl(tun.number(), TUNSETPERSIST, 1) != 0) return std::unexpected(OsError{errno, "TUNSETPERSIST " + name});
  TRY(leave_multicast(attached.name));
  return std::move(attached.descriptor);
}

std::uint32_t tun_index(int descriptor) {
  ifreq request{};
  if (ioctl(descriptor, TUNGETIFF, &request) != 0) return 0;
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any.valid() || ioctl(any.number(), SIOCGIFINDEX, &request) != 0) return 0;
  return static_cast<std::uint32_t>(request.ifr_ifindex);
}

bool tun_attached(int descriptor) {
  ifreq request{};
  return ioctl(descriptor, TUNGETIFF, &request) == 0;
}

}  // namespace gateway::os
