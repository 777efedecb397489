#include "gateway/os/host_facts.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "gateway/os/file_descriptor.h"

namespace gateway::os {
namespace {

bool has_netlink(int family) {
  return FileDescriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family)).valid();
}

}  // namespace

bool has_tun() {
  return FileDescriptor(open("/dev/net/tun", O_RDWR | O_CLOEXEC)).valid();
}

bool has_netfilter() {
  return has_netlink(NETLINK_NETFILTER);
}

bool has_routing() {
  return has_netlink(NETLINK_ROUTE);
}

bool has_ipv6() {
  return access("/proc/sys/net/ipv6", R_OK) == 0;
}

bool has_interface(const std::string& name) {
  return access(("/sys/class/net/" + name).c_str(), F_OK) == 0;
}

bool clock_synchronised() {
  timex clock{};
  const int state = adjtimex(&clock);
  return state >= 0 && state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
}

std::optional<unsigned> permission_bits(const std::string& path) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return std::nullopt;
  return facts.st_mode & 07777u;
}

}  // namespace gateway::os
