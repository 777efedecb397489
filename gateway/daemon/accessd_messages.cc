// What netd, tunneld, keyd and the kernel's event sockets tell accessd: decoded, put on record and given to the
// controller. A message that does not decode closes its channel.
#include <algorithm>
#include <cerrno>

#include "gateway/daemon/accessd.h"
#include "gateway/daemon/accessd_forms.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/clock.h"
#include "tunnel/wireguard/timestamp.h"

namespace gateway::daemon {
namespace {

using core::MessageType;
using core::ProcessRole;
using tunnel::wire::EventKind;

constexpr int kMostReads = 64;  // of one event socket in one turn
constexpr auto kAfterTouch = std::chrono::seconds(1);

const char* kind_of(EventKind kind) {
  switch (kind) {
    case EventKind::kTunnelUp:
      return "tunnel.up";
    case EventKind::kTunnelDown:
      return "tunnel.down";
    case EventKind::kHandshakeDone:
      return "tunnel.handshake";
    case EventKind::kHandshakeFailed:
      return "tunnel.handshake-failed";
    case EventKind::kHandshakeGaveUp:
      return "tunnel.no-answer";
    case EventKind::kPeerMoved:
      return "tunnel.moved";
    case EventKind::kUnknownPeer:
      return "tunnel.unknown-peer";
    case EventKind::kSourceRefused:
      return "tunnel.source-refused";
  }
  return "tunnel.unknown";
}

template <class T>
std::optional<T> fitting(std::optional<T> decoded) {
  return decoded && fits(*decoded) ? std::move(decoded) : std::nullopt;
}

}  // namespace

void Accessd::broke_form(ProcessRole role) {
  recorder_.tell(telemetry::Alarm{core::name_of(role) + " sent a message that does not fit"});
  child_.peer(role).close();  // told as lost in the next turn
}

void Accessd::on_message(ProcessRole from, os::Message& message) {
  if (from == ProcessRole::kNetd) return on_netd(message);
  if (from == ProcessRole::kTunneld) return on_tunneld(message);
  const auto reply = core::decode<core::KeysConfigured>(message.payload);
  if (from != ProcessRole::kKeyd || message.type != MessageType::kKeysConfigured || !reply) return broke_form(from);
  core::Actions actions;
  controller_.on_keys_configured(*reply, now_, actions);
  perform(std::move(actions));
}

void Accessd::on_netd(os::Message& message) {
  if (message.type == MessageType::kDescriptors) return on_descriptors(message);
  if (message.type == MessageType::kKernelRefusals) {
    const auto refusals = core::decode<core::KernelRefusals>(message.payload);
    if (!refusals) return broke_form(ProcessRole::kNetd);
    for (const auto& each : refusals->totals) refusals_.on_kernel_total(each.name, each.value);
    return;
  }
  if (message.type == MessageType::kKernelState) {
    auto state = core::decode<core::KernelState>(message.payload);
    return state ? on_kernel_state(*std::move(state)) : broke_form(ProcessRole::kNetd);
  }
  if (message.type == MessageType::kKernelTouched) {
    const auto touched = core::decode<core::KernelTouched>(message.payload);
    return touched ? want_live_check(kAfterTouch) : broke_form(ProcessRole::kNetd);
  }
  if (message.type == MessageType::kKernelDrift) {
    const auto drift = core::decode<core::KernelDrift>(message.payload);
    return drift ? on_drift(*drift) : broke_form(ProcessRole::kNetd);
  }
  if (message.type == MessageType::kFacilitiesCut) {
    const auto cut = core::decode<core::FacilitiesCut>(message.payload);
    if (!cut) return broke_form(ProcessRole::kNetd);
    core::Actions actions;
    controller_.on_facilities_cut(*cut, actions);
    return perform(std::move(actions));
  }
  const auto reply = core::decode<core::PlanApplied>(message.payload);
  if (message.type != MessageType::kPlanApplied || !reply) return broke_form(ProcessRole::kNetd);
  core::Actions actions;
  controller_.on_plan_applied(*reply, now_, actions);
  perform(std::move(actions));
}

// TUN, the UDP sockets in the order of `sockets`, connection tracking, NFLOG.
void Accessd::on_descriptors(os::Message& message) {
  const auto reply = core::decode<core::Descriptors>(message.payload);
  if (!reply) return broke_form(ProcessRole::kNetd);
  if (reply->good) {
    auto& given = message.descriptors;
    if (given.size() != reply->sockets.size() + 3) return broke_form(ProcessRole::kNetd);
    if (conntrack_.open()) child_.loop().forget(conntrack_.descriptor());
    if (nflog_.open()) child_.loop().forget(nflog_.descriptor());
    nflog_ = os::NetfilterSocket(std::move(given.back()));
    given.pop_back();
    conntrack_ = os::NetfilterSocket(std::move(given.back()));
    given.pop_back();
    devices_.tun = std::move(given.front());
    given.erase(given.begin());
    devices_.udp = std::move(given);
    devices_.sockets = reply->sockets;
    const bool watched = child_.loop().watch(conntrack_.descriptor(), kConntrackToken).has_value() &&
                         child_.loop().watch(nflog_.descriptor(), kNflogToken).has_value();
    if (!watched) recorder_.tell(telemetry::Alarm{"the kernel's event sockets cannot be watched"});
  }
  core::Actions actions;
  controller_.on_descriptors(*reply, now_, actions);
  perform(std::move(actions));
}

void Accessd::on_drift(const core::KernelDrift& drift) {
  record({"kernel.drift",
          {{"what", drift.what}, {"repaired", drift.repaired}, {"pid", drift.pid}, {"program", drift.program}}},
         Weight::kBatched);
  recorder_.hurry(now_);  // many come at once: a slow disk must not stop up netd's channel
  recorder_.tell(telemetry::Alarm{"kernel drift: " + drift.what});
  want_live_check(kAfterTouch);
}

void Accessd::on_tunneld(const os::Message& message) {
  const auto take = [&]<class T>(auto handler, std::optional<T> decoded) {
    decoded ? (this->*handler)(*decoded) : broke_form(ProcessRole::kTunneld);
  };
  if (message.type == MessageType::kTunnelEvents)
    return take(&Accessd::on_tunnel_events, fitting(core::decode<core::TunnelEvents>(message.payload)));
  if (message.type == MessageType::kStatusReport)
    return take(&Accessd::on_status_report, fitting(core::decode<core::StatusReport>(message.payload)));
  if (message.type == MessageType::kTimestampFloor)
    return take(&Accessd::on_timestamp_floor, core::decode<core::TimestampFloor>(message.payload));
  if (message.type == MessageType::kGuardRefusals)
    return take(&Accessd::on_guard_refusals, fitting(core::decode<core::GuardRefusals>(message.payload)));
  if (message.type == MessageType::kTunnelState) {
    auto state = core::decode<core::TunnelState>(message.payload);
    return state ? on_tunnel_state(*std::move(state)) : broke_form(ProcessRole::kTunneld);
  }
  const auto reply = core::decode<core::TunnelsConfigured>(message.payload);
  if (message.type != MessageType::kTunnelsConfigured || !reply) return broke_form(ProcessRole::kTunneld);
  core::Actions actions;
  controller_.on_tunnels_configured(*reply, now_, actions);
  perform(std::move(actions));
}

void Accessd::on_tunnel_events(const core::TunnelEvents& events) {
  if (events.lost > 0) recorder_.write_detail({"events.lost", {{"source", "tunnels"}, {"events", events.lost}}}, now_);
  for (const auto& event : events.events) {
    audit::Record each{kind_of(event.kind), {}};
    if (!event.facility.empty()) each.fields["facility"] = event.facility;
    each.fields["remote"] = event.remote.to_string();
    if (!event.detail.empty()) each.fields["detail"] = event.detail;
    recorder_.write_detail(each, now_);
  }
}

void Accessd::on_guard_refusals(const core::GuardRefusals& refusals) {
  std::vector<audit::Record> records;
  guard_refusals_.on_refusals(refusals, controller_.running_plan(), os::record_time(), records);
  record_all(records);
}

// One for each question: what nobody asked for could fill the records.
void Accessd::on_status_report(const core::StatusReport& report) {
  if (report.id != status_id_ || report.id == status_heard_) return;
  status_heard_ = report.id;
  tunnels_.clear();
  for (const auto& tunnel : report.tunnels) tunnels_[tunnel.facility] = tunnel;
  look_at_certificates();
  counters_ = report.counters;
  for (const auto& counter : counters_)  // the others count what passed
    if (counter.name.starts_with("guard-") || counter.name.starts_with("tunnel-drop-"))
      refusals_.on_counter(counter.name, counter.value);
  answer_waiting();
}

// Of both ends, of the authorities and their lists. Durable: a tunnel will stop on that day if nobody reads it.
void Accessd::look_at_certificates() {
  using Kind = audit::CertificateEnd::Kind;
  const auto* plan = controller_.running_plan();
  if (plan == nullptr) return;
  std::vector<audit::CertificateEnd> ends;
  if (const auto own = certificates_.first_end(plan->certificate_file))
    ends.push_back({"", own->expires, own->subject});
  std::set<std::string> seen;  // most facilities have the same files
  for (const auto& facility : plan->facilities) {
    if (!facility.ike || facility.ike->authority_file.empty()) continue;
    const auto status = tunnels_.find(facility.name.text);
    ends.push_back(
        {facility.name.text, status == tunnels_.end() ? std::nullopt : status->second.certificate_expires, ""});
    const auto& authority = facility.ike->authority_file;
    const auto& list = facility.ike->revocation_list_file;
    if (seen.insert(authority).second)
      for (const auto& each : certificates_.certificates(authority))
        ends.push_back({"", each.expires, each.subject, Kind::kOfAnAuthority, {}, authority});
    if (facility.ike->revocation != config::RevocationCheck::kNotChecked && seen.insert(list).second)
      for (const auto& each : certificates_.lists(list))
        ends.push_back({"", each.expires, each.authority, Kind::kRevocationList,
                        audit::list_notice(each.made, each.expires), list});
  }
  std::vector<audit::Record> records;
  certificate_ends_.look(ends, os::record_time(), records);
  for (const auto& each : records) {
    recorder_.tell(telemetry::Alarm{audit::to_sentence(each)});
    record(each, Weight::kDurable);
  }
}

// The echo is the promise that it is on disk: tunneld goes beyond the old floor only after it (S18).
void Accessd::on_timestamp_floor(const core::TimestampFloor& floor) {
  const std::uint64_t wall = tunnel::wireguard::sane_label(os::wall_now()).value_or(0);
  const auto running = std::chrono::duration_cast<std::chrono::seconds>(now_ - started_).count();
  const bool far = floor.seconds > furthest_floor(wall, floor_at_start_, static_cast<std::uint64_t>(running));
  if (far || !tunnel::wireguard::is_sane_label(floor.seconds)) {
    recorder_.tell(telemetry::Alarm{"timestamp floor: more than a day ahead of the clock was asked for"});
  } else if (floor.seconds > timestamp_floor_) {
    auto kept = keep_timestamp_floor(child_.arguments().state_directory, floor.seconds);
    if (!kept && kept.error().number == ENOSPC && recorder_.make_room())  // without it no peer can be called
      kept = keep_timestamp_floor(child_.arguments().state_directory, floor.seconds);
    if (kept) timestamp_floor_ = floor.seconds;
    if (!kept) recorder_.tell(telemetry::Alarm{"timestamp floor: " + kept.error().to_string()});
  }
  // An old number says: not kept. tunneld asks again.
  send(ProcessRole::kTunneld, MessageType::kTimestampFloor, core::TimestampFloor{timestamp_floor_});
}

void Accessd::read_kernel_events(os::NetfilterSocket& socket, bool conntrack) {
  std::vector<audit::Record> records;
  const auto time = os::record_time();
  for (int i = 0; i < kMostReads; ++i) {
    const auto read = socket.read();
    using Outcome = os::NetfilterSocket::Read::Outcome;
    if (!read) {
      recorder_.tell(telemetry::Alarm{read.error().to_string()});
      child_.loop().forget(socket.descriptor());
      socket.close();
      break;
    }
    if (read->outcome == Outcome::kNothing) break;
    if (read->outcome != Outcome::kDatagram) {
      auto& lost = conntrack ? conntrack_lost_ : nflog_lost_;
      ++lost;
      records.push_back({"events.lost", {{"source", conntrack ? "conntrack" : "nflog"}, {"times", lost}}});
      continue;
    }
    if (conntrack)
      for (const auto& event : audit::read_conntrack_events(read->datagram).events)
        flows_.on_event(event, time, records);
    else
      for (const auto& event : audit::read_nflog_events(read->datagram).events)
        refusals_.on_event(event, controller_.running_plan(), time, records);
  }
  note_uses(records, time.wall);
  record_all(records);
}

}  // namespace gateway::daemon
