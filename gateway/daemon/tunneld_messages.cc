// What other processes ask of tunneld and what it asks of them. A message that does not decode closes its channel.
#include <algorithm>

#include "gateway/daemon/tunneld.h"
#include "gateway/os/outside_socket.h"
#include "tunnel/wireguard/timestamp.h"

#ifdef SEKISHO_FAULTS
#include <fstream>
#endif

namespace gateway::daemon {
namespace {

using core::MessageType;
using core::ProcessRole;
using os::FileDescriptor;
using os::OsError;

constexpr std::uint64_t kTimestampsAhead = 600;             // seconds asked to be durable beyond now
constexpr auto kTimestampsRetry = std::chrono::seconds(5);  // after accessd could not keep them
constexpr std::size_t kMostOutside = 4096;                  // sockets ever named: outside addresses change rarely
constexpr std::uint64_t kTimestampsRenew = 300;             // asked again when less than this is left

}  // namespace

void Tunneld::take(ProcessRole from, const os::Message& message, std::vector<FileDescriptor> descriptors) {
  if (from == ProcessRole::kAccessd && message.type == MessageType::kConfigureTunnels) {
    if (const auto request = core::decode<core::ConfigureTunnels>(message.payload))
      return configure(*request, std::move(descriptors));
  } else if (from == ProcessRole::kAccessd && message.type == MessageType::kStatusQuery) {
    if (const auto query = core::decode<core::StatusQuery>(message.payload)) return report(*query);
  } else if (from == ProcessRole::kAccessd && message.type == MessageType::kReadTunnels) {
    if (const auto query = core::decode<core::ReadTunnels>(message.payload)) return tell_installed(*query);
  } else if (from == ProcessRole::kAccessd && message.type == MessageType::kTimestampFloor) {
    if (const auto echo = core::decode<core::TimestampFloor>(message.payload)) {
      // Durable when at least what was asked for is. A smaller number: it could not be kept; it is asked for again.
      const auto asked = std::exchange(asked_timestamps_, std::nullopt);
      if (asked && echo->seconds < *asked) ask_timestamps_at_ = now_.boot + kTimestampsRetry;
      if (!asked || echo->seconds < *asked) return;
      plane_.set_durable_timestamps(*asked, now_, out_);
      return flush();
    }
  } else if (from == ProcessRole::kKeyd && message.type == MessageType::kKeyReplies) {
    if (const auto replies = core::decode<core::KeyReplies>(message.payload)) return take_key_replies(*replies);
  }
  child_.peer(from).close();
}

void Tunneld::configure(const core::ConfigureTunnels& request, std::vector<FileDescriptor> descriptors) {
  core::TunnelsConfigured answer{request.generation, true, {}};
  if (auto adopted = adopt(request, std::move(descriptors)); !adopted) {
    answer.good = false, answer.error = adopted.error().to_string();
  } else if (auto applied = plane_.apply(request.plan,
                                         {request.public_key, request.timestamp_floor, request.signature_schemes,
                                          request.files, request.key_marks},
                                         now_, out_);
             !applied) {
    answer.good = false, answer.error = applied.error();
  }
  if (answer.good) use_offloads(request.plan.offloads);
  flush();
#ifdef SEKISHO_FAULTS
  read_faults();
#endif
  renew_timestamps();
  (void)child_.peer(ProcessRole::kAccessd).send(MessageType::kTunnelsConfigured, answer);
}

// TUN first, then the sockets in the order named. All are checked before the old ones are given up.
os::OsResult<void> Tunneld::adopt(const core::ConfigureTunnels& request, std::vector<FileDescriptor> descriptors) {
  if (request.sockets.empty()) {
    if (!tun_) return std::unexpected(OsError{0, "no descriptors were handed over"});
    return {};
  }
  if (descriptors.size() != request.sockets.size() + 1)
    return std::unexpected(OsError{0, "the descriptors are not those named"});
  for (std::size_t i = 0; i < request.sockets.size(); ++i)
    if (os::bound_address(descriptors[i + 1].number()) != request.sockets[i].address)
      return std::unexpected(OsError{0, "a socket is not bound to " + request.sockets[i].address.to_string()});
  if (outside_.size() + request.sockets.size() > kMostOutside)
    return std::unexpected(OsError{0, "too many outside addresses have come and gone; restart tunneld"});
  auto tun = TRY(os::TunQueue::adopt(std::move(descriptors[0])));
  if (tun_) child_.loop().forget(tun_->descriptor());
  for (Outside& each : outside_)
    if (each.socket) child_.loop().forget(each.socket->descriptor()), each.socket.reset();
  tun_ = std::move(tun);
  std::vector<core::OuterSocket> named;
  for (std::size_t i = 0; i < request.sockets.size(); ++i) {
    const core::BoundSocket& bound = request.sockets[i];
    const std::uint16_t place = place_of(bound);
    outside_[place].socket.emplace(std::move(descriptors[i + 1]), bound.address, place);
    named.push_back({place, bound});
  }
  plane_.set_sockets(named);
  return watch_all();
}

std::uint16_t Tunneld::place_of(const core::BoundSocket& bound) {
  const auto known = std::ranges::find(outside_, bound, &Outside::bound);
  if (known != outside_.end()) return static_cast<std::uint16_t>(known - outside_.begin());
  outside_.push_back({bound, {}});
  return static_cast<std::uint16_t>(outside_.size() - 1);
}

os::OsResult<void> Tunneld::watch_all() {
  if (auto watched = child_.loop().watch(tun_->descriptor(), kTunToken); !watched) return watched;
  for (std::size_t i = 0; i < outside_.size(); ++i) {
    if (!outside_[i].socket) continue;
    const auto token = kFirstSocketToken + static_cast<std::uint32_t>(i);
    if (auto watched = child_.loop().watch(outside_[i].socket->descriptor(), token); !watched) return watched;
  }
  return {};
}

void Tunneld::use_offloads(const config::Offloads& allowed) {
  if (tun_) tun_->use({allowed.tun_tcp, allowed.tun_udp});
  for (Outside& each : outside_)
    if (each.socket) each.socket->use({allowed.udp_segment, allowed.udp_gro});
}

void Tunneld::take_key_replies(const core::KeyReplies& replies) {
  for (const auto& reply : replies.replies) {
    const auto asked = std::find(asked_keys_.begin(), asked_keys_.end(), reply.id);
    if (asked == asked_keys_.end()) continue;  // of a keyd that was replaced meanwhile
    asked_keys_.erase(asked);
    plane_.on_key_reply(reply, now_, out_);
  }
  flush();
}

void Tunneld::ask_keyd() {
  if (out_.wire.key_requests.empty()) return;
  core::KeyRequests requests;
  requests.requests.swap(out_.wire.key_requests);
  for (const auto& request : requests.requests) asked_keys_.push_back(request.id);
  // A keyd that is away is noticed in the next turn, which answers for it.
  (void)child_.peer(ProcessRole::kKeyd).send(MessageType::kKeyRequests, requests);
}

void Tunneld::lose(ProcessRole role) {
  if (role == ProcessRole::kAccessd) asked_timestamps_.reset();
  if (role == ProcessRole::kKeyd) fail_key_requests();
}

// The handshakes that wait for keyd fail now; the tunnels' own timers begin new ones.
void Tunneld::fail_key_requests() {
  for (const std::uint64_t id : std::exchange(asked_keys_, {})) {
    tunnel::wire::KeyReply reply;
    reply.id = id;
    plane_.on_key_reply(reply, now_, out_);
  }
  flush();
}

// Held back while accessd does not read, so that what it misses is counted here and not lost in a channel that breaks.
void Tunneld::tell_events() {
  auto& accessd = child_.peer(ProcessRole::kAccessd);
  if (events_.empty() || !accessd.open() || accessd.wants_write()) return;
  if (accessd.send(MessageType::kTunnelEvents, events_.waiting())) events_.told();
}

// Held back likewise: meanwhile they are counted, and a few packets of each sort are kept.
void Tunneld::tell_refusals() {
  auto& accessd = child_.peer(ProcessRole::kAccessd);
  if (!accessd.open() || accessd.wants_write()) return;
  const core::GuardRefusals told = plane_.refusals().due(now_.boot);
  if (!told.empty()) (void)accessd.send(MessageType::kGuardRefusals, told);
}

// S18: timestamps are used only up to what accessd has made durable. Asked for early, one question at a time.
void Tunneld::renew_timestamps() {
  auto& accessd = child_.peer(ProcessRole::kAccessd);
  if (!plane_.uses_timestamps() || asked_timestamps_ || !accessd.open() || now_.boot < ask_timestamps_at_) return;
  const auto wall = tunnel::wireguard::sane_label(now_.wall);
  const std::uint64_t used = plane_.timestamps_used();
  if (plane_.durable_timestamps() >= std::max(wall ? *wall + kTimestampsRenew : 0, used + 1)) return;
  // Ahead of the clock (it was set back, is dead, or we restarted just now): as little further as will do.
  const std::uint64_t wanted = std::max(wall ? *wall + kTimestampsAhead : 0, used + 2);
  if (!tunnel::wireguard::is_sane_label(wanted)) return;  // no clock and nothing kept: no initiation is made either
  if (accessd.send(MessageType::kTimestampFloor, core::TimestampFloor{wanted})) asked_timestamps_ = wanted;
}

void Tunneld::report(const core::StatusQuery& query) {
  core::StatusReport answer{query.id, plane_.status(), plane_.counters()};
  os::UdpCounters udp;
  os::UdpOffloads outside;  // of any of them
  for (const Outside& each : outside_) {
    if (!each.socket) continue;
    udp.received += each.socket->counters().received, udp.truncated += each.socket->counters().truncated;
    udp.sent += each.socket->counters().sent, udp.send_failed += each.socket->counters().send_failed;
    outside.segment |= each.socket->offloads().segment, outside.gro |= each.socket->offloads().gro;
    udp.segmented += each.socket->counters().segmented, udp.coalesced += each.socket->counters().coalesced;
  }
  const os::TunOffloads device = tun_ ? tun_->offloads() : os::TunOffloads{};
  const os::TunCounters tun = tun_ ? tun_->counters() : os::TunCounters{};
  answer.counters.insert(answer.counters.end(), {{"udp-received", udp.received},
                                                 {"udp-truncated", udp.truncated},
                                                 {"udp-sent", udp.sent},
                                                 {"udp-send-failed", udp.send_failed},
                                                 {"udp-send-lost", transmits_lost_},
                                                 {"udp-segmented", udp.segmented},
                                                 {"udp-coalesced", udp.coalesced},
                                                 {"tun-super-read", tun.super_read},
                                                 {"tun-super-written", tun.super_written},
                                                 {"tun-read", tun.read},
                                                 {"tun-malformed", tun.malformed},
                                                 {"tun-written", tun.written},
                                                 {"tun-write-failed", tun.write_failed},
                                                 {"offload-tun-tcp", device.tcp},
                                                 {"offload-tun-udp", device.udp},
                                                 {"offload-udp-segment", outside.segment},
                                                 {"offload-udp-gro", outside.gro}});
  (void)child_.peer(ProcessRole::kAccessd).send(MessageType::kStatusReport, answer);
}

void Tunneld::tell_installed(const core::ReadTunnels& query) {
  core::TunnelState answer = plane_.installed();
  answer.id = query.id;
  (void)child_.peer(ProcessRole::kAccessd).send(MessageType::kTunnelState, answer);
}

#ifdef SEKISHO_FAULTS
// Fault builds only: SIGUSR1 (blocked like every signal) has the file read again.
void Tunneld::watch_fault_signal() {
  auto source = os::SignalSource::create({os::Signal::kReadFaults});
  if (!source) return;
  fault_signal_ = std::move(*source);
  (void)child_.loop().watch(fault_signal_->descriptor(), kSignalToken);
}

void Tunneld::read_faults() {
  while (fault_signal_ && fault_signal_->next()) {
  }
  core::DataPlaneFaults faults;
  std::ifstream file(child_.arguments().runtime_directory + "/faults");
  for (std::string line; std::getline(file, line);) {
    faults.open_guard |= line == "open_guard";
    faults.open_selectors |= line == "open_selectors";
  }
  plane_.set_faults(faults);
}
#endif

}  // namespace gateway::daemon
