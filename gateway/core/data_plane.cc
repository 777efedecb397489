// The packet's road. In: endpoint -> parse -> real to seen -> ECN -> guard -> MSS -> TUN. Out: parse -> facility ->
// guard
// -> size -> MSS -> seen to real -> endpoint.
#include "gateway/core/data_plane.h"

#include <algorithm>

#include "gateway/core/cutter.h"
#include "gateway/core/mss.h"
#include "gateway/core/refused_packet.h"
#include "gateway/core/too_big.h"

namespace gateway::core {
namespace {

using tunnel::wire::Bytes;
using tunnel::wire::ConstBytes;
using tunnel::wire::Delivery;
using tunnel::wire::OuterDatagram;

constexpr std::uint32_t kTooBigBurst = 10;
constexpr auto kTooBigEvery = std::chrono::milliseconds(100);  // per facility; RFC 1812 4.3.2.8

}  // namespace

void DataPlane::from_outside(std::span<const OuterDatagram> batch, Times now, DataPlaneOutputs& out) {
  if (!configured_) return;
  for (const OuterDatagram& datagram : batch) tunnels_.receive(datagram, now.boot, out.wire);
  for (const Delivery& delivery : out.wire.deliveries) deliver(delivery, now, out);
  out.wire.deliveries.clear();
  settle(now, out);
}

void DataPlane::deliver(const Delivery& delivery, Times now, DataPlaneOutputs& out) {
  if (delivery.peer.number >= facilities_.size() || !facilities_[delivery.peer.number].used) return;
  Facility& facility = facilities_[delivery.peer.number];
  Refused refused{Direction::kOutOfTunnel, Refusal::kNone, &facility, delivery.bytes, false};
  auto parsed = parse_inner(delivery.bytes);
  refused.reason = parsed ? to_seen(facility, delivery, *parsed) : parsed.error();
  if (refused.reason == Refusal::kNone) {
    refused.translated = true;
    refused.reason = admit(facility, delivery, *parsed, now);
  }
  if (refused.reason != Refusal::kNone) return refuse(refused, now);
  out.tun_writes.push_back(delivery.bytes.first(parsed->total_length));
}

Refusal DataPlane::to_seen(const Facility& facility, const Delivery& delivery, InnerPacketView& view) {
  return facility.translation.translates() ? facility.translation.to_seen(delivery.bytes, view) : Refusal::kNone;
}

Refusal DataPlane::admit(Facility& facility, const Delivery& delivery, InnerPacketView& view, Times now) {
  // Before the judgement: the fragment table counts on it that what was judged good is written.
  if (const Refusal refusal = merge_ecn(delivery.bytes, view.is_v4(), delivery.ecn); refusal != Refusal::kNone)
    return refusal;
  if (const Refusal refusal = judge_ingress(facility, view, now); refusal != Refusal::kNone) return refusal;
  clamp_mss(delivery.bytes, view, facility.mtu);
  return Refusal::kNone;
}

// The verdict of `verdict(view)`, with later fragments judged by the header of their first.
template <class Judge>
Refusal DataPlane::judge(std::uint32_t owner, InnerPacketView& view, Times now, const Judge& verdict) {
  if (view.fragment == Fragment::kLater)
    if (const Refusal refusal = fragments_.complete(owner, view, now.boot); refusal != Refusal::kNone) return refusal;
  if (const Refusal refusal = verdict(); refusal != Refusal::kNone) return refusal;
  return view.fragment == Fragment::kFirst ? fragments_.remember(owner, view, now.boot) : Refusal::kNone;
}

Refusal DataPlane::judge_ingress(const Facility& facility, InnerPacketView& view, Times now) {
#ifdef SEKISHO_FAULTS
  if (faults_.open_guard) return Refusal::kNone;
#endif
  return judge(facility.id.number * 2, view, now, [&] { return guard_.ingress(facility.guard_index, view, now.wall); });
}

Refusal DataPlane::judge_egress(const Facility& facility, InnerPacketView& view, Times now) {
#ifdef SEKISHO_FAULTS
  if (faults_.open_guard) return Refusal::kNone;
#endif
  return judge(facility.id.number * 2 + 1, view, now, [&] { return guard_.egress(view, now.wall); });
}

void DataPlane::from_tun(std::span<const TunPacket> batch, Times now, DataPlaneOutputs& out) {
  for (const TunPacket& packet : batch) send_one(packet, now, out);
  settle(now, out);
}

void DataPlane::send_one(const TunPacket& packet, Times now, DataPlaneOutputs& out) {
  Refused refused{Direction::kIntoTunnel, Refusal::kNotConfigured, nullptr, packet.bytes};
  if (!configured_) return refuse(refused, now);
  auto parsed = parse_inner(packet.bytes);
  if (!parsed) return refused.reason = parsed.error(), refuse(refused, now);
  refused.facility = facility_at(guard_.facility_of(parsed->flow.destination));
  refused.reason = Refusal::kUnknownDestination;
  if (refused.facility == nullptr) return refuse(refused, now);
  refused.reason = emit(packet, *refused.facility, *parsed, now, out);
  if (refused.reason != Refusal::kNone) refuse(refused, now);
}

// Counts all of them, and keeps a few for the records.
void DataPlane::refuse(const Refused& refused, Times now) {
  const bool inward = refused.direction == Direction::kOutOfTunnel;
  (inward ? refused_in_ : refused_out_).add(refused.reason);
  Facility* facility = refused.facility;
  if (facility != nullptr) ++(inward ? facility->refused_in : facility->refused_out);
  static const std::string kNoName;
  const std::uint32_t place = facility == nullptr ? RefusalLog::kNobody : facility->id.number + 1;
  const std::string& name = facility == nullptr ? kNoName : facility->plan.name.text;
  if (!refusals_.count(place, name, refused.direction, refused.reason, now.boot)) return;
  RefusedPacket packet = describe_refused(refused.bytes);
  packet.direction = refused.direction, packet.reason = refused.reason, packet.at = now.wall;
  packet.as_sent = !refused.translated && facility != nullptr && facility->translation.translates();
  packet.other_facility = other_end(packet, facility);
  refusals_.add(place, std::move(packet));
}

std::string DataPlane::other_end(const RefusedPacket& packet, const Facility* facility) const {
  const auto& address = packet.direction == Direction::kOutOfTunnel ? packet.destination : packet.source;
  const FacilityIndex index = address ? guard_.facility_of(*address) : kNoFacility;
  if (index >= by_guard_index_.size()) return {};
  const Facility& other = facilities_[by_guard_index_[index]];
  return &other == facility ? std::string() : other.plan.name.text;
}

Refusal DataPlane::emit(const TunPacket& packet, Facility& facility, InnerPacketView& view, Times now,
                        DataPlaneOutputs& out) {
  if (const Refusal refusal = judge_egress(facility, view, now); refusal != Refusal::kNone) return refusal;
  const bool super = packet.segmentation.kind != tunnel::wire::Segmentation::Kind::kNone;
  const std::size_t largest =
      super ? largest_segment(view, packet.bytes, packet.segmentation) : std::size_t{view.total_length};
  if (largest > facility.mtu) {
    answer_too_big(facility, packet, view, now, out);
    return Refusal::kTooBig;
  }
  clamp_mss(packet.bytes, view, facility.mtu);
  if (facility.translation.translates())
    if (const Refusal refusal = facility.translation.to_real(packet.bytes, view); refusal != Refusal::kNone)
      return refusal;
  if (!super) {
    tunnels_.send(facility.tunnel, {facility.id, packet.bytes.first(view.total_length), {}, packet.room}, now.boot,
                  out.wire);
    return Refusal::kNone;
  }
  segments_.clear();
  if (const Refusal refusal = cut(view, packet.bytes, packet.segmentation, out.wire.arena, segments_);
      refusal != Refusal::kNone)
    return refusal;
  for (const Bytes segment : segments_)
    tunnels_.send(facility.tunnel, {facility.id, segment, {}, true}, now.boot, out.wire);
  return Refusal::kNone;
}

void DataPlane::answer_too_big(Facility& facility, const TunPacket& packet, const InnerPacketView& view, Times now,
                               DataPlaneOutputs& out) {
  if (!answers_too_big(view)) return;
  const auto earned = (now.boot - facility.too_big_refill) / kTooBigEvery;
  if (earned > 0) {
    facility.too_big_tokens =
        static_cast<std::uint32_t>(std::min<std::int64_t>(kTooBigBurst, facility.too_big_tokens + earned));
    facility.too_big_refill = now.boot;
  }
  if (facility.too_big_tokens == 0) return;
  --facility.too_big_tokens;
  out.tun_writes.push_back(make_too_big(packet.bytes, view, facility.mtu, out.wire.arena.take(kLargestTooBig)));
}

void DataPlane::on_key_reply(const tunnel::wire::KeyReply& reply, Times now, DataPlaneOutputs& out) {
  tunnels_.on_key_reply(reply, now.boot, out.wire);
  settle(now, out);
}

void DataPlane::on_deadline(Times now, DataPlaneOutputs& out) {
  tunnels_.set_wall_time(now.wall, now.boot);  // a clock put right after boot: the next initiation uses it
  tunnels_.on_deadline(now.boot, out.wire);
  settle(now, out);
}

std::optional<Instant> DataPlane::next_deadline() const {
  return tunnels_.next_deadline();
}

DataPlane::Facility* DataPlane::facility_at(FacilityIndex guard_index) {
  return guard_index < by_guard_index_.size() ? &facilities_[by_guard_index_[guard_index]] : nullptr;
}

void DataPlane::set_durable_timestamps(std::uint64_t tai_seconds, Times now, DataPlaneOutputs& out) {
  durable_timestamps_ = std::max(durable_timestamps_, tai_seconds);
  tunnels_.allow_timestamps(durable_timestamps_, now.boot, out.wire);
  settle(now, out);
}

// After each call into the tunnels.
void DataPlane::settle(Times now, DataPlaneOutputs& out) {
  for (std::size_t i = 0; i < drops_.count.size(); ++i) drops_.count[i] += std::exchange(out.wire.drops.count[i], 0);
  name_events(now, out);
}

// Before a place is given up or given on: its number then means nobody, or another.
void DataPlane::name_events(Times now, DataPlaneOutputs& out) {
  for (auto& event : out.wire.events) {
    shorten(event.detail);
    note_state(event, now);
    remember_problem(event, now);
    const bool unknown = event.kind == tunnel::wire::EventKind::kUnknownPeer;
    out.events.push_back(
        {event.kind, unknown ? "" : facility_name(event.peer), event.path.remote, std::move(event.detail)});
  }
  out.wire.events.clear();
}

void DataPlane::note_state(const tunnel::wire::Event& event, Times now) {
  using Kind = tunnel::wire::EventKind;
  if (event.kind != Kind::kTunnelUp && event.kind != Kind::kTunnelDown) return;
  if (event.peer.number < facilities_.size()) facilities_[event.peer.number].since = now.boot;
}

// WireGuard's endpoint remembers by itself. A caller that failed before it said who it is counts for the one facility
// whose line has that address: its router is being set up, and a person asks why.
void DataPlane::remember_problem(const tunnel::wire::Event& event, Times now) {
  using Kind = tunnel::wire::EventKind;
  const bool unknown = event.kind == Kind::kUnknownPeer;
  Facility* facility = unknown                                  ? only_caller_from(event.path.remote.address)
                       : event.peer.number < facilities_.size() ? &facilities_[event.peer.number]
                                                                : nullptr;
  if (facility == nullptr || !facility->used || !facility->plan.ike) return;
  if (event.kind == Kind::kTunnelUp) {  // not with the IKE SA alone: a refused CHILD SA carries nothing
    facility->problem.clear(), facility->problem_since.reset();
  } else if (unknown || event.kind == Kind::kHandshakeFailed || event.kind == Kind::kHandshakeGaveUp) {
    if (facility->problem.empty()) facility->problem_since = now.boot;
    // With the address: whoever may come from there and says the router's name can be told of here, not proven to be
    // it.
    facility->problem =
        event.path.remote.address.to_string() + ": " + (event.detail.empty() ? "no answer" : event.detail);
    shorten(facility->problem);
  }
}

DataPlane::Facility* DataPlane::only_caller_from(const config::value::IpAddress& address) {
  Facility* found = nullptr;
  for (Facility& facility : facilities_) {
    const auto holds = [&](const policy::Prefix& source) { return source.contains(address); };
    if (!facility.used || !facility.plan.ike || std::ranges::none_of(facility.plan.sources, holds)) continue;
    if (found != nullptr) return nullptr;
    found = &facility;
  }
  return found;
}

}  // namespace gateway::core
