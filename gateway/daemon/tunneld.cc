// The loop and the packets. One turn: wait, messages, at most kBatchesPerTurn batches of each ready descriptor,
// deadlines.
#include "gateway/daemon/tunneld.h"

#include <algorithm>

#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

constexpr int kFullSocketWait = 5;  // milliseconds a full send buffer may hold up the loop before the rest is lost

}  // namespace

Tunneld::Tunneld(os::SupervisedChild child) : child_(std::move(child)) {}

int Tunneld::run() {
#ifdef SEKISHO_FAULTS
  watch_fault_signal();
#endif
  if (!child_.ready("waiting for a configuration")) return 1;
  for (;;) {
    auto turn = child_.turn(deadline());
    now_ = {os::boot_now(), os::wall_now()};
    if (turn.stop) {
      plane_.leave(now_, out_);
      flush();
      return 0;
    }
    for (const core::ProcessRole role : turn.lost_channels) lose(role);
    for (auto& [role, message] : turn.messages) take(role, message, std::move(message.descriptors));
    for (const os::ReadyDescriptor& ready : turn.other) serve(ready);
    const auto due = plane_.next_deadline();
    if (due && *due <= now_.boot) plane_.on_deadline(now_, out_), flush();
    if (!asked_keys_.empty() && !child_.peer(core::ProcessRole::kKeyd).open()) fail_key_requests();
    renew_timestamps();
    tell_events();
    tell_refusals();
  }
}

std::optional<config::value::Instant> Tunneld::deadline() {
  // Even without a timer of the protocol: the durable timestamps are looked after.
  auto first = now_.boot + std::chrono::seconds(30);
  if (const auto due = plane_.next_deadline()) first = std::min(first, *due);
  const auto& accessd = child_.peer(core::ProcessRole::kAccessd);
  if (const auto due = plane_.refusals().next_deadline(); due && accessd.open() && !accessd.wants_write())
    first = std::min(first, *due);
  return first;
}

void Tunneld::serve(const os::ReadyDescriptor& ready) {
#ifdef SEKISHO_FAULTS
  if (ready.token == kSignalToken) return read_faults();
#endif
  if (ready.token == kTunToken) return serve_tun();
  if (ready.token < kFirstSocketToken) return;
  const std::size_t index = ready.token - kFirstSocketToken;
  if (index < outside_.size() && outside_[index].socket) serve_socket(*outside_[index].socket);
}

void Tunneld::serve_tun() {
  for (int batch = 0; tun_ && batch < kBatchesPerTurn; ++batch) {
    const auto packets = tun_->read();
    if (packets.empty()) return;
    plane_.from_tun(packets, now_, out_);
    flush();
    if (!tun_->more()) return;
  }
}

void Tunneld::serve_socket(os::UdpSocket& socket) {
  for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
    const auto datagrams = socket.receive();
    if (datagrams.empty()) return;
    plane_.from_outside(datagrams, now_, out_);
    flush();
    if (!socket.more()) return;
  }
}

// After every call into the data plane, before the buffers of its batch are used again.
void Tunneld::flush() {
  flush_transmits();
  if (tun_) tun_->write(coalescer_.join(out_.tun_writes, tun_->joins()));
  for (auto& event : out_.events) events_.push(std::move(event));
  ask_keyd();
  out_.clear();
}

// The socket of a transmit. One that is gone, or a peer not heard from yet (its local address is unspecified): the
// first socket of the same kind and family, and the kernel chooses the source unless that is bound to one.
void Tunneld::choose_socket(tunnel::wire::OuterPath& path) const {
  const bool there = path.socket < outside_.size() && outside_[path.socket].socket;
  if (there && !path.local.is_unspecified()) return;
  const auto kind = path.socket < outside_.size() ? outside_[path.socket].bound.kind : core::SocketKind::kWireguard;
  const auto fits = [&](const Outside& each) {
    return each.socket && each.bound.kind == kind &&
           each.bound.address.address.family() == path.remote.address.family();
  };
  const auto found = std::ranges::find_if(outside_, fits);
  path.local = {};
  path.socket = found == outside_.end() ? UINT16_MAX : static_cast<std::uint16_t>(found - outside_.begin());
}

os::UdpSocket* Tunneld::socket_at(std::uint16_t number) {
  return number < outside_.size() && outside_[number].socket ? &*outside_[number].socket : nullptr;
}

void Tunneld::flush_transmits() {
  for (auto& transmit : out_.wire.transmits) choose_socket(transmit.path);
  for (std::span<const tunnel::wire::Transmit> rest = out_.wire.transmits; !rest.empty();) {
    const auto run = os::run_of_socket(rest);
    os::UdpSocket* const socket = socket_at(run.front().path.socket);
    transmits_lost_ += socket == nullptr ? run.size() : socket->send_all(run, kFullSocketWait);
    rest = rest.subspan(run.size());
  }
}

}  // namespace gateway::daemon
