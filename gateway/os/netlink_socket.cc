// Non-blocking, with a forced receive buffer: an event socket that overflows loses records.
#include "gateway/os/netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace gateway::os {

OsResult<FileDescriptor> open_netlink(int protocol, std::span<const unsigned int> groups) {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket.valid()) return std::unexpected(OsError{errno, "netlink socket"});
  if (setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUFFORCE, &kNetlinkBuffer, sizeof kNetlinkBuffer) != 0)
    (void)setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUF, &kNetlinkBuffer, sizeof kNetlinkBuffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return std::unexpected(OsError{errno, "bind netlink socket"});
  for (const unsigned int group : groups)
    if (setsockopt(socket.number(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return std::unexpected(OsError{errno, "join netlink group " + std::to_string(group)});
  return socket;
}

}  // namespace gateway::os
