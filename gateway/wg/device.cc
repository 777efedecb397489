// What is set and what is told. A peer is known here always, to the endpoint only while the interface runs: what the
// endpoint forgets with it (counters, where it is) is kept here.
#include "gateway/wg/device.h"

#include <algorithm>

#include "tunnel/crypto/x25519.h"

namespace gateway::wg {
namespace {

using tunnel::uapi::PeerChange;
using tunnel::uapi::SetRequest;
using tunnel::wire::IpAddress;
using tunnel::wire::Prefix;

tunnel::wireguard::EndpointParams endpoint_params(Times now) {
  tunnel::wireguard::EndpointParams params;
  params.wall_now = now.wall;
  return params;
}

}  // namespace

Device::Device(tunnel::crypto::Rng& rng, Times now) : endpoint_(endpoint_params(now), rng, now.boot) {}

bool Device::has_room_for(const SetRequest& request) const {
  const std::size_t kept = request.replace_peers ? 0 : peers_.size();
  const auto may_add = [](const PeerChange& change) { return !change.remove && !change.update_only; };
  if (kept + request.peers.size() <= kMostPeers) return true;
  std::map<PublicKey, bool> added;  // a section may name a peer again, or one that is there
  for (const PeerChange& change : request.peers)
    if (may_add(change) && (request.replace_peers || !ids_.contains(change.public_key)))
      added[change.public_key] = true;
  return kept + added.size() <= kMostPeers;
}

void Device::apply(const SetRequest& request, Times now, DeviceOutputs& out) {
  if (request.private_key) set_private_key(*request.private_key, now, out);
  while (request.replace_peers && !peers_.empty()) remove_peer(peers_.begin()->first, now, out);
  for (const PeerChange& change : request.peers) change_peer(change, now, out);
  allowed_.commit();
  settle(now, out);
}

// Sessions and handshakes of the old key are worth nothing: every peer begins anew.
void Device::set_private_key(const tunnel::uapi::Key& key, Times now, DeviceOutputs& out) {
  if (sodium_memcmp(key.expose().data(), private_key_.expose().data(), 32) == 0) return;
  if (running()) detach_all(now, out);
  private_key_ = key.duplicate();
  const bool none = tunnel::uapi::is_zero(key.expose());
  public_key_ = none ? PublicKey{} : tunnel::crypto::x25519_public(key.expose());
  endpoint_.set_identity("own", public_key_);
  if (none) return;
  if (const auto self = ids_.find(public_key_); self != ids_.end()) remove_peer(self->second, now, out);
  if (running()) attach_all(now, out);
}

void Device::change_peer(const PeerChange& change, Times now, DeviceOutputs& out) {
  // A peer with our own key is passed over, as the kernel does: one configuration may serve all ends.
  if (change.public_key == public_key_ && !tunnel::uapi::is_zero(private_key_.expose())) return;
  const auto known = ids_.find(change.public_key);
  if (change.remove && known != ids_.end()) remove_peer(known->second, now, out);
  if (change.remove || (known == ids_.end() && change.update_only)) return;
  const auto [id, peer] = [&]() -> std::pair<std::uint32_t, Peer&> {
    const auto found = find_or_add(change.public_key);
    return {found->first, found->second};
  }();
  if (change.preshared_key) peer.preshared_key = change.preshared_key->duplicate();
  if (change.persistent_keepalive) peer.persistent_keepalive = *change.persistent_keepalive;
  if (change.endpoint) peer.endpoint = change.endpoint;
  if (change.replace_allowed_ips) allowed_.remove_all(id);
  for (const auto& allowed : change.allowed_ips)
    allowed.remove ? allowed_.remove(allowed.prefix, id) : allowed_.add(allowed.prefix, id);
  if (!running()) return;
  if (change.endpoint) move_peer(id, peer, now, out);
  attach(id, peer, now, out);
}

Device::Peers::iterator Device::find_or_add(const PublicKey& key) {
  if (const auto known = ids_.find(key); known != ids_.end()) return peers_.find(known->second);
  do {
    last_id_ = last_id_ >= core::PrefixTable::kLargestValue ? 1 : last_id_ + 1;
  } while (peers_.contains(last_id_));
  ids_[key] = last_id_;
  const auto added = peers_.try_emplace(last_id_).first;
  added->second.public_key = key;
  return added;
}

void Device::remove_peer(std::uint32_t id, Times now, DeviceOutputs& out) {
  endpoint_.remove_peer({id}, now.boot, out.wire);
  allowed_.remove_all(id);
  const auto peer = peers_.find(id);
  ids_.erase(peer->second.public_key);
  peers_.erase(peer);
}

// The name of its preshared key is the same whether it has one or not, so that a new one does not end the session.
tunnel::wireguard::PeerParams Device::params_of(std::uint32_t id, const Peer& peer) const {
  tunnel::wireguard::PeerParams params;
  params.id = {id};
  params.public_key = peer.public_key;
  params.preshared_key = std::to_string(id);
  params.endpoint = peer.endpoint;
  // Whose a source is, all peers' prefixes decide together: deliver().
  params.allowed = {Prefix::masked(IpAddress::v4({}), 0), Prefix::masked(IpAddress::v6({}), 0)};
  params.persistent_keepalive = std::chrono::seconds(peer.persistent_keepalive);
  params.mtu = mtu_;
  return params;
}

void Device::attach(std::uint32_t id, const Peer& peer, Times now, DeviceOutputs& out) {
  endpoint_.set_peer(params_of(id, peer), now.boot, out.wire);
}

// An endpoint that is set moves the peer also when it is the one that was set before and the peer has moved since:
// without one in between, the same again would be no change.
void Device::move_peer(std::uint32_t id, const Peer& peer, Times now, DeviceOutputs& out) {
  const auto counters = endpoint_.counters({id});
  if (!counters || !counters->path || counters->path->remote == *peer.endpoint) return;
  auto params = params_of(id, peer);
  params.endpoint.reset();
  endpoint_.set_peer(params, now.boot, out.wire);
}

void Device::detach(std::uint32_t id, Peer& peer, Times now, DeviceOutputs& out) {
  if (const auto counters = endpoint_.counters({id})) {
    peer.sent_before += counters->outer_sent, peer.received_before += counters->outer_received;
    if (counters->path) peer.endpoint = counters->path->remote;
  }
  endpoint_.remove_peer({id}, now.boot, out.wire);
}

void Device::attach_all(Times now, DeviceOutputs& out) {
  for (const auto& [id, peer] : peers_) attach(id, peer, now, out);
}

void Device::detach_all(Times now, DeviceOutputs& out) {
  for (auto& [id, peer] : peers_) detach(id, peer, now, out);
}

void Device::set_link(bool up, std::uint16_t mtu, Times now, DeviceOutputs& out) {
  const bool before = running();
  const bool other_mtu = std::exchange(mtu_, mtu) != mtu;
  up_ = up;
  if (before && !running()) detach_all(now, out);
  if (running() && (!before || other_mtu)) attach_all(now, out);
  settle(now, out);
}

tunnel::uapi::PeerState Device::state_of(std::uint32_t id, const Peer& peer) const {
  tunnel::uapi::PeerState state;
  state.public_key = peer.public_key;
  state.preshared_key = peer.preshared_key.duplicate();
  state.endpoint = peer.endpoint;
  state.last_handshake = peer.last_handshake;
  state.sent_bytes = peer.sent_before, state.received_bytes = peer.received_before;
  state.persistent_keepalive = peer.persistent_keepalive;
  state.allowed_ips = allowed_.of(id);
  const auto counters = endpoint_.counters({id});
  if (!counters) return state;
  state.sent_bytes += counters->outer_sent, state.received_bytes += counters->outer_received;
  if (counters->path) state.endpoint = counters->path->remote;
  return state;
}

tunnel::uapi::InterfaceState Device::state() const {
  tunnel::uapi::InterfaceState state;
  state.private_key = private_key_.duplicate();
  state.peers.reserve(peers_.size());
  for (const auto& [id, peer] : peers_) state.peers.push_back(state_of(id, peer));
  return state;
}

}  // namespace gateway::wg
