#include "gateway/os/host_networks.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace gateway::os {
namespace {

using config::value::IpAddress;
using Octets16 = std::array<std::uint8_t, 16>;

// Of IPv4 the first four.
std::optional<Octets16> octets_of(const sockaddr* from, int family) {
  Octets16 octets{};
  if (from == nullptr) return std::nullopt;
  if (family == AF_INET)
    std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, 4);
  else
    std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, 16);
  return octets;
}

std::uint8_t ones_of(const Octets16& octets) {
  int count = 0;
  for (const auto octet : octets) count += std::popcount(octet);
  return static_cast<std::uint8_t>(count);
}

}  // namespace

std::vector<config::HostNetwork> host_networks() {
  std::vector<config::HostNetwork> networks;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return networks;
  for (const auto* each = list; each != nullptr; each = each->ifa_next) {
    const int family = each->ifa_addr == nullptr ? AF_UNSPEC : each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const auto octets = *octets_of(each->ifa_addr, family);
    const auto address =
        family == AF_INET ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
    const auto mask = octets_of(each->ifa_netmask, family);
    networks.push_back({each->ifa_name, address, mask ? ones_of(*mask) : address.bits()});
  }
  freeifaddrs(list);
  return networks;
}

}  // namespace gateway::os
