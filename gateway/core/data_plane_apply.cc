// A new plan becomes tunnels and guard: checked whole first, then installed as a difference (P8). Also what it reports.
#include <sodium.h>

#include <algorithm>

#include "gateway/core/data_plane.h"

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

Result<PeerParams, std::string> peer_of(const FacilityPlan& facility) {
  PeerParams peer;
  peer.public_key = TRY(public_key_of(facility));
  peer.preshared_key = facility.wireguard.preshared_key;
  peer.endpoint = facility.wireguard.endpoint;
  peer.outer_sources = facility.sources;
  for (const policy::NetworkMap& map : facility.networks) peer.allowed.push_back(map.real);
  peer.persistent_keepalive = std::chrono::seconds(facility.wireguard.persistent_keepalive_seconds);
  return peer;
}

std::string repeated(const Plan& plan) {
  std::map<std::string, std::string> by_key;
  std::map<std::string, bool> names;
  for (const FacilityPlan& facility : plan.facilities) {
    if (!names.emplace(facility.name.text, true).second) return "facility " + facility.name.text + " is there twice";
    const auto [other, fresh] = by_key.emplace(facility.wireguard.public_key, facility.name.text);
    if (!fresh) return facility.name.text + " and " + other->second + " have the same public key";
  }
  return {};
}

bool same_tunnel(const PeerParams& a, const PeerParams& b) {
  return a.public_key == b.public_key && a.preshared_key == b.preshared_key;
}

}  // namespace

Result<DataPlane::Prepared, std::string> DataPlane::prepare(const Plan& plan) {
  if (std::string wrong = repeated(plan); !wrong.empty()) return std::unexpected(std::move(wrong));
  Prepared prepared;
  prepared.guard = TRY(Guard::compile(plan));
  for (std::size_t i = 0; i < plan.facilities.size(); ++i) {
    const FacilityPlan& from = plan.facilities[i];
    if (std::min(from.mtu, plan.tunnel_mtu) < 576)
      return std::unexpected("facility " + from.name.text + ": MTU below 576");
    Facility facility;
    facility.plan = from;
    facility.peer = TRY(peer_of(from));
    facility.translation = TRY(Translation::compile(from.networks));
    facility.guard_index = static_cast<FacilityIndex>(i);
    facility.mtu = std::min(from.mtu, plan.tunnel_mtu);
    facility.peer.mtu = facility.mtu;  // padding must not outgrow the line
    facility.used = true;
    prepared.facilities.push_back(std::move(facility));
  }
  return prepared;
}

Result<void, std::string> DataPlane::apply(const Plan& plan, const TunnelIdentity& identity, Times now,
                                           DataPlaneOutputs& out) {
  Prepared prepared = TRY(prepare(plan));
  open_endpoint(plan, identity, now, out);
  endpoint_->set_wall_time(now.wall, now.boot);
  auto staged = take_staged(now);
  remove_departed(prepared, now, out);
  install(std::move(prepared), now, out);
  for (auto& packet : staged) send_one({packet, {}}, now, out);
  settle(out);
  return {};
}

// Another gateway key is another gateway: every session of the old one ends.
void DataPlane::open_endpoint(const Plan& plan, const TunnelIdentity& identity, Times now, DataPlaneOutputs& out) {
  if (endpoint_ && gateway_key_ == plan.gateway_key && public_key_ == identity.public_key) return;
  std::uint64_t floor = std::max(identity.timestamp_floor, timestamps_used());
  if (endpoint_) {
    for (Facility& facility : facilities_) {
      if (!facility.used) continue;
      endpoint_->remove_peer(facility.peer.id, now.boot, out.wire);
      refusals_.depart(facility.peer.id.number + 1);
    }
    name_events(out);
    places_.clear(), facilities_.clear(), free_places_.clear();
  }
  durable_timestamps_ = std::max(durable_timestamps_, identity.timestamp_floor);
  tunnel::wireguard::EndpointParams params;
  params.private_key = gateway_key_ = plan.gateway_key;
  params.public_key = public_key_ = identity.public_key;
  params.wall_now = now.wall;
  params.timestamp_floor = floor;
  params.timestamp_limit = durable_timestamps_;
  endpoint_.emplace(std::move(params), rng_, now.boot);
#ifdef SEKISHO_FAULTS
  set_faults(faults_);
#endif
}

// What waits for a handshake passed the guard of the old plan: it is put back to where it came from, as it was read
// from the TUN, and judged by the new one (P3). Fragments are known anew too, or the second judgement would see them
// twice.
std::vector<std::vector<std::uint8_t>> DataPlane::take_staged(Times now) {
  std::vector<std::vector<std::uint8_t>> all;
  for (Facility& facility : facilities_) {
    if (!facility.used) continue;
    auto staged = endpoint_->take_staged(facility.peer.id);
    if (!staged.empty()) fragments_.forget(facility.peer.id.number * 2 + 1);
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
void DataPlane::remove_departed(const Prepared& prepared, Times now, DataPlaneOutputs& out) {
  std::map<std::string_view, const Facility*> coming;
  for (const Facility& facility : prepared.facilities) coming.emplace(facility.plan.name.text, &facility);
  for (Facility& facility : facilities_) {
    if (!facility.used) continue;
    const auto next = coming.find(facility.plan.name.text);
    if (next != coming.end() && same_tunnel(next->second->peer, facility.peer)) continue;
    endpoint_->remove_peer(facility.peer.id, now.boot, out.wire);
    fragments_.forget(facility.peer.id.number * 2);
    fragments_.forget(facility.peer.id.number * 2 + 1);
    name_events(out);
    if (next == coming.end()) {
      refusals_.depart(facility.peer.id.number + 1);
      free_places_.push_back(facility.peer.id.number);
      places_.erase(facility.plan.name.text);
      facility = Facility{};
    }
  }
}

void DataPlane::install(Prepared prepared, Times now, DataPlaneOutputs& out) {
  guard_ = std::move(prepared.guard);
  by_guard_index_.clear();
  for (Facility& next : prepared.facilities) {
    const std::uint32_t place = place_for(next.plan.name.text);
    next.peer.id = {place};
    Facility& held = facilities_[place];
    next.refused_in = held.refused_in, next.refused_out = held.refused_out;
    next.too_big_tokens = held.too_big_tokens, next.too_big_refill = held.too_big_refill;
    endpoint_->set_peer(next.peer, now.boot, out.wire);
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
    status.guard_refused_in = facility.refused_in, status.guard_refused_out = facility.refused_out;
    if (const auto counters = endpoint_->counters(facility.peer.id)) {
      status.up = counters->up;
      if (counters->path) status.remote = counters->path->remote;
      status.last_handshake = counters->last_handshake;
      status.received_bytes = counters->received_bytes, status.received_packets = counters->received_packets;
      status.sent_bytes = counters->sent_bytes, status.sent_packets = counters->sent_packets;
      status.handshakes = counters->handshakes;
      status.problem = counters->problem, status.problem_since = counters->problem_since;
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
  all.push_back({"initiations-withheld", endpoint_ ? endpoint_->initiations_withheld() : 0});
  return all;
}

#ifdef SEKISHO_FAULTS
void DataPlane::set_faults(DataPlaneFaults faults) {
  faults_ = faults;
  if (endpoint_) endpoint_->set_faults({.open_selectors = faults.open_selectors});
}
#endif

}  // namespace gateway::core
