// Sends fail only when the child is gone; its process descriptor then says so, and that is where it is handled.
#include "gateway/daemon/supervisor_family.h"

#include <algorithm>

#include "gateway/os/clock.h"
#include "gateway/os/standard_streams.h"
#include "gateway/telemetry/event.h"

namespace gateway::daemon {
namespace {

using config::value::Duration;
using config::value::Instant;
using core::MessageType;
using core::ProcessRole;

constexpr Duration kAway = std::chrono::seconds(3);  // between two ticks, which come each second

constexpr std::array<std::pair<ProcessRole, ProcessRole>, 4> kPairs{{{ProcessRole::kAccessd, ProcessRole::kNetd},
                                                                     {ProcessRole::kAccessd, ProcessRole::kTunneld},
                                                                     {ProcessRole::kAccessd, ProcessRole::kKeyd},
                                                                     {ProcessRole::kTunneld, ProcessRole::kKeyd}}};

void log(const telemetry::Event& event) {
  os::write_log(telemetry::render(event, os::wall_now()));
}

}  // namespace

void log_started(ProcessRole role) {
  log(telemetry::ProcessStarted{name_of(role)});
}
void log_alarm(const std::string& detail) {
  log(telemetry::Alarm{detail});
}
void log_ready(const std::string& detail) {
  log(telemetry::Ready{detail});
}
void log_ended(ProcessRole role, int exit_status, bool expected) {
  if (expected && exit_status == 0)
    log(telemetry::ProcessEnded{name_of(role)});
  else
    log(telemetry::ProcessLost{name_of(role)});
  if (exit_status != 0) log_alarm("sekisho-" + name_of(role) + " ended with status " + std::to_string(exit_status));
}

void SupervisedFamily::send(SupervisedProcess& to, MessageType type, std::span<const std::uint8_t> payload,
                            std::span<const int> descriptors) {
  if (to.channel().open()) (void)to.channel().send_octets(type, payload, descriptors);
}

os::OsResult<void> SupervisedFamily::start(ProcessRole role, Instant now) {
  auto& started = process(role);
  if (auto good = started.start(directory_, arguments_, loop_, now); !good) return good;
  log_started(role);
  if (role == ProcessRole::kNetd) hand_over_kept();
  for (const auto& [one, other] : kPairs)
    if ((one == role || other == role) && running(one) && running(other)) join(process(one), process(other));
  return {};
}

void SupervisedFamily::start_due(Instant now) {
  for (auto& child : processes_) {
    if (child.running() || child.restart_at() > now) continue;
    if (auto started = start(child.role(), now); !started) log_alarm(started.error().to_string());
  }
}

std::optional<Instant> SupervisedFamily::next_start() const {
  std::optional<Instant> next;
  for (const auto& child : processes_)
    if (!child.running() && (!next || child.restart_at() < *next)) next = child.restart_at();
  return next;
}

void SupervisedFamily::join(SupervisedProcess& one, SupervisedProcess& other) {
  auto ends = os::MessageChannel::pair();
  if (!ends) return log_alarm(ends.error().to_string());
  const std::array first{ends->first.number()}, second{ends->second.number()};
  send(one, MessageType::kPeerChannel, core::encode(core::PeerChannel{other.role()}), first);
  send(other, MessageType::kPeerChannel, core::encode(core::PeerChannel{one.role()}), second);
}

// Always, also when there is nothing: netd waits for it before it binds anything.
void SupervisedFamily::hand_over_kept() {
  std::vector<int> numbers;
  if (kept_)
    for (const auto& descriptor : kept_->descriptors) numbers.push_back(descriptor.number());
  const auto payload = kept_ ? kept_->payload : core::encode<tunnel::wire::WipedOctets>(core::Descriptors{});
  send(process(ProcessRole::kNetd), MessageType::kDescriptors, payload, numbers);
}

SupervisedFamily::News SupervisedFamily::on_ready(const os::ReadyDescriptor& ready, Instant now) {
  const std::size_t index = (ready.token - kFirstToken) / 2;
  if (ready.token < kFirstToken || index >= processes_.size()) return {};
  auto& child = processes_[index];
  if (ready.token == child.token()) return read_channel(child, now);
  if (!child.running()) return {};
  News news;
  news.ended = child.role();
  news.exit_status = child.reap(loop_, now);
  log_ended(child.role(), news.exit_status, ending_);
  return news;
}

SupervisedFamily::News SupervisedFamily::read_channel(SupervisedProcess& from, Instant now) {
  News news;
  if (!from.channel().open()) return news;
  auto received = from.channel().receive();
  if (!received) return news;  // closed now: it is ending, or sees the end of its channel, or the watchdog takes it
  for (auto& message : *received) {
    from.answered(now);
    if (message.type == MessageType::kDescriptors && from.role() == ProcessRole::kNetd) {
      kept_ = std::move(message);
    } else if (message.type == MessageType::kBusy && from.role() == ProcessRole::kNetd) {
      if (const auto busy = core::decode<core::Busy>(message.payload)) from.busy(std::chrono::seconds(busy->seconds));
    } else if (message.type == MessageType::kReady && from.role() == ProcessRole::kAccessd) {
      const auto ready = core::decode<core::Ready>(message.payload);
      news.accessd_ready = ready.has_value();
      if (ready) news.status = ready->status;
    }
  }
  return news;
}

void SupervisedFamily::tick(Instant now) {
  const auto alive = core::encode(core::Alive{++count_});
  // We stood still ourselves (suspended, stopped): the answers lie in the channels, and nobody is to blame.
  const bool away = ticked_ && now - *ticked_ > kAway;
  ticked_ = now;
  for (auto& child : processes_) {
    if (!child.running()) continue;
    if (away) child.answered(now);
    if (child.overdue(now)) {
      log_alarm("sekisho-" + name_of(child.role()) + " does not answer and is killed");
      child.answered(now);  // once is enough
      child.kill();
    } else {
      send(child, MessageType::kAlive, alive);
    }
  }
}

void SupervisedFamily::request_reload() {
  send(process(ProcessRole::kAccessd), MessageType::kReloadRequest, core::encode(core::ReloadRequest{++count_}));
}

void SupervisedFamily::request_stop(ProcessRole role) {
  send(process(role), MessageType::kStopRequest, core::encode(core::StopRequest{}));
}

void SupervisedFamily::kill(ProcessRole role) {
  if (running(role)) process(role).kill();
}

}  // namespace gateway::daemon
