#include "gateway/core/messages.h"

#include <algorithm>

namespace gateway::core {

std::string name_of(ProcessRole role) {
  switch (role) {
    case ProcessRole::kSupervisor:
      return "supervisor";
    case ProcessRole::kNetd:
      return "netd";
    case ProcessRole::kTunneld:
      return "tunneld";
    case ProcessRole::kKeyd:
      return "keyd";
    case ProcessRole::kAccessd:
      return "accessd";
  }
  return "unknown";
}

std::vector<BoundSocket> sockets_of(const policy::Plan& plan) {
  std::vector<BoundSocket> sockets;
  for (const auto& address : plan.outside_addresses) {
    if (plan.wireguard_port != 0) sockets.push_back({{address, plan.wireguard_port}, SocketKind::kWireguard});
    if (!plan.ikev2) continue;
    sockets.push_back({{address, 500}, SocketKind::kIke});
    sockets.push_back({{address, 4500}, SocketKind::kIkeNat});
    sockets.push_back({{address, 0}, SocketKind::kEsp});
  }
  std::ranges::sort(sockets);
  return sockets;
}

void shorten(std::string& detail) {
  constexpr std::string_view kCut = "...";
  if (detail.size() <= kLongestDetail) return;
  std::size_t end = kLongestDetail - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(detail[end]) & 0xc0) == 0x80) --end;
  detail.resize(end);
  detail += kCut;
}

}  // namespace gateway::core
