#include "gateway/os/host_facts.h"

#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <algorithm>
#include <array>

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

config::HostFacts host_facts() {
  config::HostFacts facts;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return facts;
  for (const auto* each = list; each != nullptr; each = each->ifa_next) {
    if (std::ranges::find(facts.interfaces, each->ifa_name) == facts.interfaces.end()) {
      facts.interfaces.emplace_back(each->ifa_name);
      const unsigned link = IFF_UP | IFF_RUNNING;
      if ((each->ifa_flags & link) != link) facts.without_link.emplace_back(each->ifa_name);
    }
    char text[NI_MAXHOST];
    const int family = each->ifa_addr == nullptr ? AF_UNSPEC : each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (getnameinfo(each->ifa_addr, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    const std::string_view name(text);
    if (const auto address = config::value::IpAddress::parse(name.substr(0, name.find('%'))))
      facts.addresses.push_back(*address);
  }
  freeifaddrs(list);
  return facts;
}

bool is_root() {
  return geteuid() == 0;
}

std::optional<std::string> group_of(const std::string& path) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return std::nullopt;
  std::array<char, 4096> buffer{};
  group entry{}, *found = nullptr;
  getgrgid_r(facts.st_gid, &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? std::to_string(facts.st_gid) : std::string(found->gr_name);
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
