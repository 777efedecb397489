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

}  // namespace gateway::core
