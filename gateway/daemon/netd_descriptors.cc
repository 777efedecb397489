// Nothing is opened twice: the TUN has one queue, a port one owner, a log group one listener.
#include "gateway/daemon/netd_descriptors.h"

#include <algorithm>

#include "firewall/reasons.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/record_sockets.h"
#include "gateway/os/tun_device.h"

namespace gateway::daemon {

using os::OsResult;

namespace {

OsResult<os::FileDescriptor> bind(const core::BoundSocket& wanted) {
  return wanted.kind == core::SocketKind::kEsp ? os::bind_outside_esp(wanted.address.address)
                                               : os::bind_outside(wanted.address);
}

}  // namespace

void NetdDescriptors::adopt(os::Message kept) {
  const auto description = core::decode<core::Descriptors>(kept.payload);
  if (!description || kept.descriptors.size() != description->sockets.size() + 3) return;
  auto& all = kept.descriptors;
  tun_ = std::move(all.front());
  nflog_ = std::move(all.back());
  conntrack_ = std::move(all[all.size() - 2]);
  for (std::size_t i = 0; i < description->sockets.size(); ++i)
    sockets_.push_back({description->sockets[i], std::move(all[i + 1])});
}

OsResult<bool> NetdDescriptors::ensure_tun() {
  if (tun_.valid() && os::tun_attached(tun_.number())) return false;
  tun_.reset();
  tun_ = TRY(os::open_tun(policy::kTunnelInterface));
  return true;
}

OsResult<void> NetdDescriptors::open(const policy::Plan& plan) {
  std::vector<Outside> wanted;
  for (const core::BoundSocket& bound : core::sockets_of(plan)) {
    const auto there = std::ranges::find(sockets_, bound, &Outside::bound);
    wanted.push_back({bound, there != sockets_.end() ? std::move(there->socket) : TRY(bind(bound))});
  }
  sockets_ = std::move(wanted);
  if (!conntrack_.valid()) conntrack_ = TRY(os::open_conntrack_events());
  if (!nflog_.valid()) nflog_ = TRY(os::open_nflog(firewall::kLogGroup));
  return {};
}

core::Descriptors NetdDescriptors::description() const {
  core::Descriptors description{true, {}, policy::kTunnelInterface, {}};
  for (const auto& socket : sockets_) description.sockets.push_back(socket.bound);
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
