#include "gateway/core/tunnels.h"

#include <algorithm>

namespace gateway::core {
namespace {

using tunnel::wire::Outputs;
using Door = tunnel::ike::Door;

// Requests to keyd of the two protocols are told apart by their highest bit.
constexpr std::uint64_t kIkeRequests = std::uint64_t{1} << 63;

Door door_of(const OuterSocket& socket) {
  Door door;
  door.number = socket.number;
  door.family = socket.bound.address.address.family();
  door.port = socket.bound.address.port;
  door.local = socket.bound.address.address;
  door.kind = socket.bound.kind == SocketKind::kIkeNat ? Door::Kind::kNat
              : socket.bound.kind == SocketKind::kEsp  ? Door::Kind::kEsp
                                                       : Door::Kind::kPlain;
  return door;
}

const tunnel::ike::PeerParams* ike_of(const TunnelParams& params) {
  return std::get_if<tunnel::ike::PeerParams>(&params);
}

template <class Counters>
TunnelCounters common(const Counters& from) {
  TunnelCounters out;
  out.received_bytes = from.received_bytes, out.received_packets = from.received_packets;
  out.sent_bytes = from.sent_bytes, out.sent_packets = from.sent_packets;
  out.outer_received = from.outer_received, out.outer_sent = from.outer_sent;
  out.handshakes = from.handshakes, out.last_handshake = from.last_handshake;
  out.last_heard = std::max(from.last_heard, from.last_handshake);  // the handshake itself is the first that is heard
  out.path = from.path, out.up = from.up;
  return out;
}

}  // namespace

tunnel::wire::PeerId id_of(const TunnelParams& params) {
  return std::visit([](const auto& each) { return each.id; }, params);
}

void set_id(TunnelParams& params, tunnel::wire::PeerId id) {
  std::visit([id](auto& each) { each.id = id; }, params);
}

void Tunnels::open_wireguard(tunnel::wireguard::EndpointParams params, Instant now) {
  wireguard_.emplace(std::move(params), rng_, now);
#ifdef SEKISHO_FAULTS
  open_selectors(open_selectors_);
#endif
}

void Tunnels::open_ike(WallTime wall, Instant now) {
  if (ike_) return;
  tunnel::ike::EndpointParams params;
  params.wall_now = wall;
  params.first_key_request = kIkeRequests;
  ike_.emplace(std::move(params), rng_, now);
  tell_doors();
#ifdef SEKISHO_FAULTS
  open_selectors(open_selectors_);
#endif
}

void Tunnels::set_sockets(std::span<const OuterSocket> sockets) {
  sockets_.assign(sockets.begin(), sockets.end());
  ike_sockets_.clear();
  for (const OuterSocket& socket : sockets) {
    if (socket.bound.kind == SocketKind::kWireguard) continue;
    ike_sockets_.resize(std::max<std::size_t>(ike_sockets_.size(), socket.number + std::size_t{1}));
    ike_sockets_[socket.number] = true;
  }
  tell_doors();
}

void Tunnels::tell_doors() {
  if (!ike_) return;
  std::vector<Door> doors;
  std::vector<tunnel::wire::IpAddress> addresses;
  for (const OuterSocket& socket : sockets_) {
    if (socket.bound.kind == SocketKind::kWireguard) continue;
    doors.push_back(door_of(socket));
    if (socket.bound.kind == SocketKind::kIke) addresses.push_back(socket.bound.address.address);
  }
  ike_->set_doors(std::move(doors), std::move(addresses));
}

bool Tunnels::is_ike(std::uint16_t socket) const {
  return socket < ike_sockets_.size() && ike_sockets_[socket];
}

void Tunnels::set_peer(const TunnelParams& params, Instant now, Outputs& out) {
  if (const auto* ike = ike_of(params)) {
    if (ike_) ike_->set_peer(*ike, now, out);
  } else if (wireguard_) {
    wireguard_->set_peer(std::get<tunnel::wireguard::PeerParams>(params), now, out);
  }
}

void Tunnels::remove_peer(const TunnelParams& params, Instant now, Outputs& out) {
  if (ike_of(params) != nullptr) {
    if (ike_) ike_->remove_peer(id_of(params), now, out);
  } else if (wireguard_) {
    wireguard_->remove_peer(id_of(params), now, out);
  }
}

void Tunnels::receive(const tunnel::wire::OuterDatagram& datagram, Instant now, Outputs& out) {
  if (is_ike(datagram.path.socket)) {
    if (ike_) ike_->receive(datagram, now, out);
  } else if (wireguard_) {
    wireguard_->receive(datagram, now, out);
  }
}

void Tunnels::send(const TunnelParams& peer, const tunnel::wire::InnerPacket& packet, Instant now, Outputs& out) {
  if (ike_of(peer) != nullptr) {
    if (ike_) ike_->send(packet, now, out);
  } else if (wireguard_) {
    wireguard_->send(packet, now, out);
  }
}

std::vector<std::vector<std::uint8_t>> Tunnels::take_staged(const TunnelParams& peer) {
  if (ike_of(peer) != nullptr) return ike_ ? ike_->take_staged(id_of(peer)) : std::vector<std::vector<std::uint8_t>>();
  return wireguard_ ? wireguard_->take_staged(id_of(peer)) : std::vector<std::vector<std::uint8_t>>();
}

void Tunnels::on_key_reply(const tunnel::wire::KeyReply& reply, Instant now, Outputs& out) {
  if ((reply.id & kIkeRequests) != 0) {
    if (ike_) ike_->on_key_reply(reply, now, out);
  } else if (wireguard_) {
    wireguard_->on_key_reply(reply, now, out);
  }
}

void Tunnels::on_deadline(Instant now, Outputs& out) {
  if (wireguard_) wireguard_->on_deadline(now, out);
  if (ike_) ike_->on_deadline(now, out);
}

std::optional<Instant> Tunnels::next_deadline() const {
  const auto first = wireguard_ ? wireguard_->next_deadline() : std::nullopt;
  const auto second = ike_ ? ike_->next_deadline() : std::nullopt;
  return first && second ? std::min(*first, *second) : first ? first : second;
}

void Tunnels::set_wall_time(WallTime wall, Instant now) {
  if (wireguard_) wireguard_->set_wall_time(wall, now);
  if (ike_) ike_->set_wall_time(wall, now);
}

std::optional<TunnelCounters> Tunnels::counters(const TunnelParams& peer) const {
  if (ike_of(peer) != nullptr) {
    const auto ike = ike_ ? ike_->counters(id_of(peer)) : std::nullopt;
    if (!ike) return std::nullopt;
    TunnelCounters out = common(*ike);
    out.negotiated = ike->negotiated;
    out.certificate_expires = ike->certificate_expires;
    return out;
  }
  const auto wireguard = wireguard_ ? wireguard_->counters(id_of(peer)) : std::nullopt;
  if (!wireguard) return std::nullopt;
  TunnelCounters out = common(*wireguard);
  out.problem = wireguard->problem, out.problem_since = wireguard->problem_since;
  return out;
}

void Tunnels::allow_timestamps(std::uint64_t tai_seconds, Instant now, Outputs& out) {
  if (wireguard_) wireguard_->allow_timestamps(tai_seconds, now, out);
}

#ifdef SEKISHO_FAULTS
void Tunnels::open_selectors(bool open) {
  open_selectors_ = open;
  if (wireguard_) wireguard_->set_faults({.open_selectors = open});
  if (ike_) ike_->set_faults({.open_selectors = open});
}
#endif

}  // namespace gateway::core
