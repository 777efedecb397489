#include "tests/lab/tunnel_io.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "gateway/core/cutter.h"
#include "gateway/os/clock.h"
#include "gateway/os/tun_device.h"

namespace lab {
namespace {

using gateway::core::Refusal;
using tunnel::wire::Bytes;
using tunnel::wire::ConstBytes;

constexpr int kFullSocketWait = 1000;  // milliseconds
enum Token : std::uint32_t { kInputToken, kTunToken, kFirstSocketToken };

}  // namespace

void die(const char* what) {
  std::perror(what);
  std::exit(2);
}

void TunnelIo::open_tun(const std::string& name) {
  auto own = gateway::os::attach_tun(name);
  if (!own) die(own.error().to_string().c_str());
  auto queue = gateway::os::TunQueue::adopt(std::move(own->descriptor));
  if (!queue) die(queue.error().to_string().c_str());
  tun_ = std::move(*queue);
  watch(tun_->descriptor(), kTunToken);
}

void TunnelIo::add_socket(gateway::os::FileDescriptor socket, const config::value::SocketAddress& bound) {
  sockets_.emplace_back(std::move(socket), bound, static_cast<std::uint16_t>(sockets_.size()));
  watch(sockets_.back().descriptor(), kFirstSocketToken + static_cast<std::uint32_t>(sockets_.size() - 1));
}

void TunnelIo::close_sockets() {
  for (const auto& socket : sockets_) loop_->forget(socket.descriptor());
  sockets_.clear();
}

void TunnelIo::watch(int descriptor, std::uint32_t token) {
  if (!loop_) {
    auto made = gateway::os::EventLoop::create();
    if (!made) die(made.error().to_string().c_str());
    loop_ = std::move(*made);
    watch(STDIN_FILENO, kInputToken);
  }
  if (const auto watched = loop_->watch(descriptor, token); !watched) die(watched.error().to_string().c_str());
}

bool TunnelIo::wait(int milliseconds) {
  tun_ready_ = false;
  ready_.assign(sockets_.size(), false);
  bool input = false;
  const auto deadline = milliseconds < 0
                            ? std::nullopt
                            : std::optional(gateway::os::boot_now() + std::chrono::milliseconds(milliseconds));
  for (const auto& each : loop_->wait(deadline)) {
    if (each.token == kInputToken) input = true;
    if (each.token == kTunToken) tun_ready_ = true;
    if (each.token >= kFirstSocketToken) ready_[each.token - kFirstSocketToken] = true;
  }
  return input;
}

// One that is no super-packet goes as it is, also what a gateway would refuse.
std::span<const Bytes> TunnelIo::singles(const gateway::core::TunPacket& packet, tunnel::wire::Arena& arena) {
  singles_.clear();
  if (packet.segmentation.kind == tunnel::wire::Segmentation::Kind::kNone) {
    singles_.push_back(packet.bytes);
  } else if (const auto view = gateway::core::parse_inner(packet.bytes)) {
    if (gateway::core::cut(*view, packet.bytes, packet.segmentation, arena, singles_) != Refusal::kNone)
      std::fputs("a super-packet that cannot be cut\n", stderr);
  }
  return singles_;
}

void TunnelIo::transmit(std::span<const tunnel::wire::Transmit> transmits) {
  while (!transmits.empty()) {
    const auto run = gateway::os::run_of_socket(transmits);
    const std::uint16_t number = run.front().path.socket;
    if (number < sockets_.size()) (void)sockets_[number].send_all(run, kFullSocketWait);
    transmits = transmits.subspan(run.size());
  }
}

// Only what a gateway takes may be joined; the rest is written as it came, so that the kernel judges it.
void TunnelIo::deliver(std::span<const tunnel::wire::Delivery> deliveries) {
  if (!tun_) return;
  joined_.clear();
  for (const auto& delivery : deliveries) {
    if (const auto view = gateway::core::parse_inner(delivery.bytes)) {
      joined_.push_back(delivery.bytes.first(view->total_length));
      continue;
    }
    const ConstBytes alone = delivery.bytes;
    const gateway::core::TunWrite write{{}, {&alone, 1}};
    tun_->write({&write, 1});
  }
  tun_->write(coalescer_.join(joined_, tun_->joins()));
}

}  // namespace lab
