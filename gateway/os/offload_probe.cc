#include "gateway/os/offload_probe.h"

#include <sched.h>

#include <thread>

#include "gateway/os/outside_socket.h"
#include "gateway/os/tun_device.h"

namespace gateway::os {
namespace {

std::optional<KernelOffloads> ask_kernel() {
  auto device = open_tun("probe");
  if (!device) return std::nullopt;
  const auto tun = TunQueue::adopt(*std::move(device));
  const auto address = config::value::IpAddress::v4({127, 0, 0, 1});
  auto socket = bind_outside({address, 0});
  const auto bound = socket ? bound_address(socket->number()) : std::nullopt;
  if (!tun || !bound) return std::nullopt;
  return KernelOffloads{tun->offloads(), UdpSocket(*std::move(socket), *bound, 0).offloads()};
}

}  // namespace

std::optional<KernelOffloads> probe_offloads() {
  std::optional<KernelOffloads> found;
  // A thread of its own: the namespace belongs to a thread, and goes with it.
  std::thread([&found] {
    if (unshare(CLONE_NEWNET) == 0) found = ask_kernel();
  }).join();
  return found;
}

}  // namespace gateway::os
