// A new plan becomes tunnels and guard: checked whole first, then installed as a difference (P8). Also what it reports.
#include <sodium.h>

#include <algorithm>

#include "gateway/core/data_plane.h"
#include "gateway/core/ike_peers.h"
#include "policy/isolation.h"

namespace gateway::core {
namespace {

using policy::FacilityPlan;
using policy::Plan;
using tunnel::wireguard::PeerParams;

Result<tunnel::wireguard::PublicKey, std::string> public_key_of(const FacilityPlan& facility) {
  tunnel::wireguard::PublicKey key{};
  std::size_t length = 0;
  const std::string& text = facility.wireguard.public_key;
  const int bad = sodium_base642bin(key.data(), key.size(), text.data(), text.size(), nullptr, &length, nullptr,
                                    sodium_base64_VARIANT_ORIGINAL);
  if (bad != 0 || length != key.size())
    return std::unexpected("facility " + facility.name.text + ": the public key is not 32 octets of base64");
  return key;
}

Result<PeerParams, std::string> wireguard_peer_of(const FacilityPlan& facility) {
  PeerParams peer;
  peer.public_key = TRY(public_key_of(facility));
  peer.preshared_key = facility.wireguard.preshared_key;
  peer.endpoint = facility.wireguard.endpoint;
  peer.outer_sources = facility.sources;
  for (const policy::NetworkMap& map : facility.networks) peer.allowed.push_back(map.real);
  peer.persistent_keepalive = std::chrono::seconds(facility.wireguard.persistent_keepalive_seconds);
  return peer;
}

Result<TunnelParams, std::string> tunnel_of(const Plan& plan, const FacilityPlan& facility, IkePeers& ike) {
  if (facility.ike) return TRY(ike.peer(facility));
  PeerParams peer = TRY(wireguard_peer_of(facility));
  peer.mtu = std::min(facility.mtu, plan.tunnel_mtu);  // padding must not outgrow the line
  return peer;
}

std::string repeated(const Plan& plan) {
  std::map<std::string, std::string> by_key;  // or by identity
  std::map<std::string, bool> names;
  for (const FacilityPlan& facility : plan.facilities) {
    if (!names.emplace(facility.name.text, true).second) return "facility " + facility.name.text + " is there twice";
    const bool ike = facility.ike.has_value();
    const auto& key = ike ? facility.ike->remote_id : facility.wireguard.public_key;
    const auto [other, fresh] = by_key.emplace(key, facility.name.text);
    if (!fresh)
      return facility.name.text + " and " + other->second + " have the same " + (ike ? "remote id" : "public key");
  }
  return {};
}

// A key file may have got another content under the same name.
std::array<std::uint64_t, 2> marks_of(const FacilityPlan& facility, std::span<const KeyMark> marks) {
  const auto mark = [&](const std::string& name) {
    const auto found = name.empty() ? marks.end() : std::ranges::find(marks, name, &KeyMark::name);
    return found == marks.end() ? 0 : found->mark;
  };
  if (facility.ike) return {mark(facility.ike->preshared_key), mark(facility.ike->ppk)};
  return {mark(facility.wireguard.preshared_key), 0};
}

// The session may go on, or the endpoint itself knows what of it must end.
bool same_tunnel(const TunnelParams& a, const TunnelParams& b) {
  const auto* one = std::get_if<PeerParams>(&a);
  const auto* other = std::get_if<PeerParams>(&b);
  if (one == nullptr || other == nullptr) return one == other;
  return one->public_key == other->public_key && one->preshared_key == other->preshared_key;
}

}  // namespace

Result<DataPlane::Prepared, std::string> DataPlane::prepare(const Plan& plan, const TunnelIdentity& identity,
                                                            WallTime now) {
  if (std::string wrong = repeated(plan); !wrong.empty()) return std::unexpected(std::move(wrong));
  Prepared prepared;
  prepared.guard = TRY(Guard::compile(plan));
  const auto own = std::ranges::find(identity.key_marks, plan.signing_key, &KeyMark::name);
  const std::uint64_t signing = own == identity.key_marks.end() ? 0 : own->mark;
  IkePeers ike(plan, {identity.signature_schemes, identity.files, signing}, now);
  for (std::size_t i = 0; i < plan.facilities.size(); ++i) {
    const FacilityPlan& from = plan.facilities[i];
    if (std::min(from.mtu, plan.tunnel_mtu) < 576)
      return std::unexpected("facility " + from.name.text + ": MTU below 576");
    Facility facility;
    facility.plan = from;
    facility.tunnel = TRY(tunnel_of(plan, from, ike));
    facility.key_marks = marks_of(from, identity.key_marks);
    facility.translation = TRY(Translation::compile(from.networks));
    facility.guard_index = static_cast<FacilityIndex>(i);
    facility.mtu = std::min(from.mtu, plan.tunnel_mtu);
    facility.used = true;
    prepared.facilities.push_back(std::move(facility));
  }
  return prepared;
}

// Facilities that are isolated are none here: no peer, so that a handshake is a stranger's; no place in the guard.
Result<void, std::string> DataPlane::apply(const Plan& whole, const TunnelIdentity& identity, Times now,
                                           DataPlaneOutputs& out) {
  std::optional<Plan> fewer;
  if (policy::any_isolated(whole)) fewer = policy::without_isolated(whole);
  const Plan& plan = fewer ? *fewer : whole;
  Prepared prepared = TRY(prepare(plan, identity, now.wall));
  open_tunnels(plan, identity, now, out);
  tunnels_.set_wall_time(now.wall, now.boot);
  auto staged = take_staged(now);
  remove_departed(prepared, now, out);
  install(std::move(prepared), now, out);
  if (plan.gateway_key.empty()) tunnels_.close_wireguard();
  if (!plan.ikev2) tunnels_.close_ike();
  configured_ = true;
  for (auto& packet : staged) send_one({packet, {}}, now, out);
  settle(now, out);
  return {};
}

// Another gateway key is another gateway: every WireGuard session of the old one ends.
void DataPlane::open_tunnels(const Plan& plan, const TunnelIdentity& identity, Times now, DataPlaneOutputs& out) {
  if (plan.ikev2) tunnels_.open_ike(now.wall, now.boot);
  const bool same = gateway_key_ == plan.gateway_key && public_key_ == identity.public_key;
  if (plan.gateway_key.empty() || (tunnels_.has_wireguard() && same)) return;
  const std::uint64_t floor = std::max(identity.timestamp_floor, timestamps_used());
  if (tunnels_.has_wireguard())
    for (Facility& facility : facilities_)
      if (facility.used && !facility.plan.ike) depart(facility, now, out);
  durable_timestamps_ = std::max(durable_timestamps_, identity.timestamp_floor);
  tunnel::wireguard::EndpointParams params;
  params.private_key = gateway_key_ = plan.gateway_key;
  params.public_key = public_key_ = identity.public_key;
  params.wall_now = now.wall;
  params.timestamp_floor = floor;
  params.timestamp_limit = durable_timestamps_;
  tunnels_.open_wireguard(std::move(params), now.boot);
}

// What waits for a handshake passed the guard of the old plan: it is put back to where it came from, as it was read
// from the TUN, and judged by the new one (P3). Fragments are known anew too, or the second judgement would see them
// twice.
std::vector<std::vector<std::uint8_t>> DataPlane::take_staged(Times now) {
  std::vector<std::vector<std::uint8_t>> all;
  for (Facility& facility : facilities_) {
    if (!facility.used) continue;
    auto staged = tunnels_.take_staged(facility.tunnel);
    if (!staged.empty()) fragments_.forget(facility.id.number * 2 + 1);
    for (auto& packet : staged) {
      auto parsed = parse_inner(packet);
      Refusal refusal = parsed ? Refusal::kNone : parsed.error();
      if (parsed && facility.translation.translates()) refusal = facility.translation.undo_to_real(packet, *parsed);
      if (refusal == Refusal::kNone)
        all.push_back(std::move(packet));
      else
        refuse({Direction::kIntoTunnel, refusal, &facility, packet, false}, now);
    }
  }
  return all;
}

// Before anything is added: a key may have moved from one facility to another.
void DataPlane::leave(Times now, DataPlaneOutputs& out) {
  configured_ = false;
  for (const Facility& facility : facilities_)
    if (facility.used) tunnels_.remove_peer(facility.tunnel, now.boot, out.wire);
  settle(now, out);
}

void DataPlane::remove_departed(const Prepared& prepared, Times now, DataPlaneOutputs& out) {
  std::map<std::string_view, const Facility*> coming;
  for (const Facility& facility : prepared.facilities) coming.emplace(facility.plan.name.text, &facility);
  for (Facility& facility : facilities_) {
    if (!facility.used) continue;
    const auto next = coming.find(facility.plan.name.text);
    if (next == coming.end()) {
      depart(facility, now, out);
    } else if (!same_tunnel(next->second->tunnel, facility.tunnel) || next->second->key_marks != facility.key_marks) {
      end_tunnel(facility, now, out);
    }
  }
}

void DataPlane::end_tunnel(const Facility& facility, Times now, DataPlaneOutputs& out) {
  tunnels_.remove_peer(facility.tunnel, now.boot, out.wire);
  fragments_.forget(facility.id.number * 2);
  fragments_.forget(facility.id.number * 2 + 1);
  name_events(now, out);
}

void DataPlane::depart(Facility& facility, Times now, DataPlaneOutputs& out) {
  end_tunnel(facility, now, out);
  refusals_.depart(facility.id.number + 1);
  free_places_.push_back(facility.id.number);
  places_.erase(facility.plan.name.text);
  facility = Facility{};
}

void DataPlane::install(Prepared prepared, Times now, DataPlaneOutputs& out) {
  guard_ = std::move(prepared.guard);
  by_guard_index_.clear();
  for (Facility& next : prepared.facilities) {
    const std::uint32_t place = place_for(next.plan.name.text);
    next.id = {place};
    set_id(next.tunnel, next.id);
    Facility& held = facilities_[place];
    next.refused_in = held.refused_in, next.refused_out = held.refused_out;
    next.too_big_tokens = held.too_big_tokens, next.too_big_refill = held.too_big_refill;
    next.problem = std::move(held.problem), next.problem_since = held.problem_since;
    next.since = held.since.value_or(now.boot);
    tunnels_.set_peer(next.tunnel, now.boot, out.wire);
    held = std::move(next);
    by_guard_index_.push_back(place);
  }
}

std::uint32_t DataPlane::place_for(const std::string& name) {
  if (const auto known = places_.find(name); known != places_.end()) return known->second;
  auto place = static_cast<std::uint32_t>(facilities_.size());
  if (free_places_.empty()) {
    facilities_.emplace_back();
  } else {
    place = free_places_.back();
    free_places_.pop_back();
  }
  facilities_[place].used = true;
  places_.emplace(name, place);
  return place;
}

std::string DataPlane::facility_name(tunnel::wire::PeerId peer) const {
  return peer.number < facilities_.size() && facilities_[peer.number].used ? facilities_[peer.number].plan.name.text
                                                                           : "";
}

std::vector<TunnelStatus> DataPlane::status() const {
  std::vector<TunnelStatus> all;
  for (const auto& [name, place] : places_) {
    const Facility& facility = facilities_[place];
    TunnelStatus status;
    status.facility = name;
    status.since = facility.since;
    status.guard_refused_in = facility.refused_in, status.guard_refused_out = facility.refused_out;
    if (const auto counters = tunnels_.counters(facility.tunnel)) {
      status.up = counters->up;
      if (counters->path) status.remote = counters->path->remote;
      status.last_handshake = counters->last_handshake;
      status.last_heard = counters->last_heard;
      status.received_bytes = counters->received_bytes, status.received_packets = counters->received_packets;
      status.sent_bytes = counters->sent_bytes, status.sent_packets = counters->sent_packets;
      status.handshakes = counters->handshakes;
      status.outer_received = counters->outer_received, status.outer_sent = counters->outer_sent;
      status.problem = facility.plan.ike ? facility.problem : counters->problem;
      status.problem_since = facility.plan.ike ? facility.problem_since : counters->problem_since;
      status.negotiated = counters->negotiated;
      status.certificate_expires = counters->certificate_expires;
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<Counter> DataPlane::counters() const {
  static constexpr std::array<const char*, static_cast<std::size_t>(tunnel::wire::Drop::kCount)> kDrops = {
      "malformed",           "unknown-receiver", "bad-mac",         "under-load",
      "rate-limited",        "replay",           "forged",          "no-session",
      "queue-full",          "inner-source",     "inner-malformed", "key-exhausted",
      "unknown-destination", "stale-timestamp",  "key-refused"};
  std::vector<Counter> all;
  for (std::size_t i = 0; i < kDrops.size(); ++i)
    all.push_back({std::string("tunnel-drop-") + kDrops[i], drops_.count[i]});
  for (std::size_t i = 1; i < refused_in_.count.size(); ++i) {
    const std::string name(refusal_name(static_cast<Refusal>(i)));
    all.push_back({"guard-in-" + name, refused_in_.count[i]});
    all.push_back({"guard-out-" + name, refused_out_.count[i]});
  }
  all.push_back({"initiations-withheld", tunnels_.initiations_withheld()});
  return all;
}

#ifdef SEKISHO_FAULTS
void DataPlane::set_faults(DataPlaneFaults faults) {
  faults_ = faults;
  tunnels_.open_selectors(faults.open_selectors);
}
#endif

}  // namespace gateway::core
