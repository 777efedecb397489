// Nothing is opened twice: the TUN has one queue, a port one owner, a log group one listener.
#include "gateway/daemon/netd_descriptors.h"

#include <algorithm>

#include "firewall/reasons.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/record_sockets.h"
#include "gateway/os/tun_device.h"

namespace gateway::daemon {

using config::value::SocketAddress;
using os::OsResult;

void NetdDescriptors::adopt(os::Message kept) {
  const auto description = core::decode<core::Descriptors>(kept.payload);
  if (!description || kept.descriptors.size() != description->sockets.size() + 3) return;
  auto& all = kept.descriptors;
  tun_ = std::move(all.front());
  nflog_ = std::move(all.back());
  conntrack_ = std::move(all[all.size() - 2]);
  for (std::size_t i = 0; i < description->sockets.size(); ++i)
    sockets_.push_back({description->sockets[i].address, std::move(all[i + 1])});
}

OsResult<bool> NetdDescriptors::ensure_tun() {
  if (tun_.valid() && os::tun_attached(tun_.number())) return false;
  tun_.reset();
  tun_ = TRY(os::open_tun(policy::kTunnelInterface));
  return true;
}

OsResult<void> NetdDescriptors::open(const policy::Plan& plan) {
  std::vector<Outside> wanted;
  for (const auto& address : plan.outside_addresses) {
    const SocketAddress bound{address, plan.wireguard_port};
    const auto there = std::ranges::find(sockets_, bound, &Outside::address);
    wanted.push_back({bound, there != sockets_.end() ? std::move(there->socket) : TRY(os::bind_outside(bound))});
  }
  sockets_ = std::move(wanted);
  if (!conntrack_.valid()) conntrack_ = TRY(os::open_conntrack_events());
  if (!nflog_.valid()) nflog_ = TRY(os::open_nflog(firewall::kLogGroup));
  return {};
}

core::Descriptors NetdDescriptors::description() const {
  core::Descriptors description{true, {}, policy::kTunnelInterface, {}};
  for (const auto& socket : sockets_) description.sockets.push_back({socket.address});
  return description;
}

std::vector<int> NetdDescriptors::numbers() const {
  std::vector<int> numbers{tun_.number()};
  for (const auto& socket : sockets_) numbers.push_back(socket.socket.number());
  numbers.push_back(conntrack_.number());
  numbers.push_back(nflog_.number());
  return numbers;
}

}  // namespace gateway::daemon
