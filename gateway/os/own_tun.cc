#include "gateway/os/own_tun.h"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/os/netlink_socket.h"

namespace gateway::os {
namespace {

FileDescriptor any_socket() {
  return FileDescriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

}  // namespace

OsResult<AttachedTun> open_own_tun(const std::string& name, std::uint16_t mtu) {
  auto own = TRY(attach_tun(name));
  ifreq request{};
  std::copy(own.name.begin(), own.name.end(), request.ifr_name);
  request.ifr_mtu = mtu;
  const FileDescriptor any = any_socket();
  if (!any.valid() || ioctl(any.number(), SIOCSIFMTU, &request) != 0)
    return std::unexpected(OsError{errno, "MTU of " + own.name});
  return own;
}

TunLink tun_link(int tun, std::uint16_t mtu_before) {
  ifreq request{};
  if (ioctl(tun, TUNGETIFF, &request) != 0) return {};
  ifreq mtu = request;
  const FileDescriptor any = any_socket();
  if (ioctl(any.number(), SIOCGIFFLAGS, &request) != 0 || ioctl(any.number(), SIOCGIFMTU, &mtu) != 0)
    return {true, true, mtu_before};
  return {true, (request.ifr_flags & IFF_UP) != 0, static_cast<std::uint16_t>(std::clamp(mtu.ifr_mtu, 0, 65'535))};
}

OsResult<FileDescriptor> open_link_changes() {
  static constexpr std::array<unsigned, 1> kGroups{RTNLGRP_LINK};
  return open_netlink(NETLINK_ROUTE, kGroups);
}

// An overflow (ENOBUFS) says that something changed too, and is taken off like a message.
void drain_link_changes(int descriptor) {
  std::array<char, 1> octet{};
  for (;;) {
    const ssize_t got = recv(descriptor, octet.data(), octet.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0 || (got < 0 && errno != EINTR && errno != ENOBUFS)) return;
  }
}

}  // namespace gateway::os
