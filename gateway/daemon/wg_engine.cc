// The loop and the packets. One turn: wait, at most kBatchesPerTurn batches of each ready descriptor, requests,
// deadlines.
#include "gateway/daemon/wg_engine.h"

#include <algorithm>

#include "gateway/os/clock.h"
#include "gateway/wg/plain_packet.h"

namespace gateway::daemon {
namespace {

using tunnel::wire::Bytes;
using tunnel::wire::Transmit;

constexpr int kFullSocketWait = 5;     // milliseconds a full send buffer may hold up the loop before the rest is lost
constexpr std::size_t kMostOwn = 256;  // a host may answer for a whole prefix

wg::Times read_clocks() {
  return {os::boot_now(), os::wall_now()};
}

}  // namespace

os::OsResult<WgEngine::Parts> WgEngine::open(const std::string& name) {
  auto loop = TRY(os::EventLoop::create());
  auto signals = TRY(os::SignalSource::create({os::Signal::kStop}));
  auto link_changes = TRY(os::open_link_changes());  // before the device: no change of it is missed
  auto own = TRY(os::open_own_tun(name, wg::Device::kDefaultMtu));
  auto tun = TRY(os::TunQueue::adopt(std::move(own.descriptor)));
  TRY(loop.watch(tun.descriptor(), kTunToken));
  TRY(loop.watch(signals.descriptor(), kSignalToken));
  TRY(loop.watch(link_changes.number(), kLinkToken));
  auto uapi = TRY(os::UapiSocket::create(own.name, kUapiToken, loop));
  return Parts{own.name, std::move(loop), std::move(signals), std::move(link_changes), std::move(tun), std::move(uapi)};
}

WgEngine::WgEngine(Parts parts) : parts_(std::move(parts)), now_(read_clocks()), device_(rng_, now_) {}

int WgEngine::run() {
  if (!follow_link()) return 0;  // it may be up already
  for (;;) {
    const auto ready = parts_.loop.wait(deadline());
    now_ = read_clocks();
    for (const os::ReadyDescriptor& each : ready)
      if (!serve(each)) return 0;
    serve_requests();
    const auto due = device_.next_deadline();
    if (due && *due <= now_.boot) device_.on_deadline(now_, out_), flush();
  }
}

std::optional<config::value::Instant> WgEngine::deadline() {
  return parts_.uapi.has_request() ? std::optional(now_.boot) : device_.next_deadline();
}

bool WgEngine::serve(const os::ReadyDescriptor& ready) {
  switch (ready.token) {
    case kTunToken:
      serve_tun();
      return !ready.closed || follow_link();  // a device that is removed says so here
    case kSignalToken:
      return parts_.signals.next() != os::Signal::kStop;
    case kLinkToken:
      os::drain_link_changes(parts_.link_changes.number());
      return follow_link();
    case kV4Token:
    case kV6Token:
      serve_socket(ready.token - kV4Token);
      return true;
    default:
      return parts_.uapi.on_ready(ready, parts_.loop);
  }
}

// The port is bound as long as the link is up. False: the device is gone.
bool WgEngine::follow_link() {
  const os::TunLink link = os::tun_link(parts_.tun.descriptor(), mtu_);
  if (!link.there) return false;
  const bool rises = link.up && !up_;
  up_ = link.up, mtu_ = link.mtu;
  if (rises) {
    auto sockets = bind_sockets(port_, mark_);
    const auto adopted = sockets ? adopt(*std::move(sockets)) : std::unexpected(sockets.error());
    if (!adopted) say(adopted.error().to_string());
  }
  device_.set_link(up_, mtu_, now_, out_);
  flush();
  if (!up_) close_sockets();
  return true;
}

void WgEngine::serve_tun() {
  for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
    const auto packets = parts_.tun.read();
    if (packets.empty()) return;
    device_.from_tun(packets, now_, out_);
    flush();
    if (!parts_.tun.more()) return;
  }
}

void WgEngine::serve_socket(std::size_t place) {
  for (int batch = 0; batch < kBatchesPerTurn && sockets_[place]; ++batch) {
    const auto datagrams = sockets_[place]->receive();
    if (datagrams.empty()) return;
    for (const auto& datagram : datagrams) {
      if (!own_.empty() && own_.back() == datagram.path.local) continue;
      std::erase(own_, datagram.path.local);
      if (own_.size() == kMostOwn) own_.erase(own_.begin());
      own_.push_back(datagram.path.local);  // the last one is found first
    }
    device_.from_outside(datagrams, now_, out_);
    flush();
    if (!sockets_[place]->more()) return;
  }
}

// After every call into the device, before the buffers of its batch are used again.
void WgEngine::flush() {
  send_transmits();
  write_tun();
  out_.clear();
}

// In the order they came: runs of what may be joined, and of what may not.
void WgEngine::write_tun() {
  std::span<const Bytes> rest = out_.tun_writes;
  while (!rest.empty()) {
    const bool joins = wg::may_join(rest.front());
    const auto end = std::ranges::find_if(rest, [&](Bytes packet) { return wg::may_join(packet) != joins; });
    const auto run = rest.first(static_cast<std::size_t>(end - rest.begin()));
    parts_.tun.write(coalescer_.join(run, joins ? parts_.tun.joins() : core::Joins{}));
    rest = rest.subspan(run.size());
  }
}

void WgEngine::send_transmits() {
  for (Transmit& transmit : out_.wire.transmits) {
    transmit.path.socket = transmit.path.remote.address.is_v4() ? 0 : 1;
    // WireGuard's sticky source: the address the peer reached us at, as long as we know it to be ours.
    if (std::ranges::find(own_.rbegin(), own_.rend(), transmit.path.local) == own_.rend()) transmit.path.local = {};
  }
  for (std::span<const Transmit> rest = out_.wire.transmits; !rest.empty();) {
    const auto run = os::run_of_socket(rest);
    if (auto& socket = sockets_[run.front().path.socket]) send_all(*socket, run);
    rest = rest.subspan(run.size());
  }
}

void WgEngine::send_all(os::UdpSocket& socket, std::span<const Transmit> transmits) {
  const std::uint64_t failed_before = socket.counters().send_failed;
  (void)socket.send_all(transmits, kFullSocketWait);
  // An address of ours may be gone (a host that moved), which the kernel refuses as a source: it chooses one from now
  // on, until something comes in.
  if (socket.counters().send_failed != failed_before) own_.clear();
}

}  // namespace gateway::daemon
