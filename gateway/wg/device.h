// The WireGuard interface that wg sees (docs/decisions/0008): keys, peers, allowed-ips and counters over one
// wireguard::Endpoint, and the packets between its two sides. No I/O: the shell reads batches, calls, and flushes
// DeviceOutputs. Port and mark are the shell's, which owns the sockets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/core/data_plane.h"
#include "gateway/wg/allowed_ips.h"
#include "tunnel/uapi/request.h"
#include "tunnel/uapi/state.h"
#include "tunnel/wireguard/endpoint.h"

namespace gateway::wg {

using config::value::Instant;
using config::value::WallTime;
using core::Times;
using tunnel::uapi::PublicKey;
using tunnel::wire::PeerId;

struct DeviceOutputs {
  tunnel::wire::Outputs wire;                   // transmits; the rest is consumed
  std::vector<tunnel::wire::Bytes> tun_writes;  // whole packets, in the batch given
  void clear() { wire.clear(), tun_writes.clear(); }
};

// Why packets went no further, besides what the endpoint itself drops.
struct DeviceDrops {
  std::uint64_t no_peer = 0;         // from the TUN: no peer has the destination
  std::uint64_t foreign_source = 0;  // from outside: the source is not the peer's (WireGuard 2)
  std::uint64_t malformed = 0;       // no IP packet, or a super-packet that cannot be cut
  std::uint64_t ecn = 0;             // RFC 6040 4.2: congestion was marked and the inner packet cannot say so
  std::uint64_t not_running = 0;     // the link is down, or there is no private key
  tunnel::wire::DropCounts endpoint;
};

class Device {
 public:
  static constexpr std::size_t kMostPeers = 1 << 16;
  static constexpr std::uint16_t kDefaultMtu = 1420;  // as wireguard-go's and the kernel's

  // Down and without keys.
  Device(tunnel::crypto::Rng& rng, Times now);

  // False: it would be too many peers. Asked before anything of the request is done.
  [[nodiscard]] bool has_room_for(const tunnel::uapi::SetRequest& request) const;
  // All of a request but port and mark, in its order. Cannot fail.
  void apply(const tunnel::uapi::SetRequest& request, Times now, DeviceOutputs& out);
  // Port and mark are zero in it.
  [[nodiscard]] tunnel::uapi::InterfaceState state() const;
  // As the link is. Down: sessions are forgotten, nothing is answered. Up: peers with a persistent keepalive are
  // called.
  void set_link(bool up, std::uint16_t mtu, Times now, DeviceOutputs& out);

  void from_outside(std::span<const tunnel::wire::OuterDatagram> batch, Times now, DeviceOutputs& out);
  void from_tun(std::span<const core::TunPacket> batch, Times now, DeviceOutputs& out);
  void on_deadline(Times now, DeviceOutputs& out);
  [[nodiscard]] std::optional<Instant> next_deadline() const { return endpoint_.next_deadline(); }
  [[nodiscard]] const DeviceDrops& drops() const { return drops_; }

 private:
  struct Peer {
    PublicKey public_key{};
    tunnel::uapi::Key preshared_key;  // all zero: none, which is what WireGuard 5.2 mixes then
    std::optional<tunnel::wire::SocketAddress> endpoint;
    std::uint16_t persistent_keepalive = 0;  // seconds
    std::optional<WallTime> last_handshake;
    std::uint64_t sent_before = 0, received_before = 0;  // octets, before the endpoint last got to know the peer
  };
  using Peers = std::map<std::uint32_t, Peer>;  // by PeerId: ids rise, so in the order they came

  // device.cc
  [[nodiscard]] bool running() const { return up_ && !tunnel::uapi::is_zero(private_key_.expose()); }
  void set_private_key(const tunnel::uapi::Key& key, Times now, DeviceOutputs& out);
  void change_peer(const tunnel::uapi::PeerChange& change, Times now, DeviceOutputs& out);
  [[nodiscard]] Peers::iterator find_or_add(const PublicKey& key);
  void remove_peer(std::uint32_t id, Times now, DeviceOutputs& out);
  void attach(std::uint32_t id, const Peer& peer, Times now, DeviceOutputs& out);
  void detach(std::uint32_t id, Peer& peer, Times now, DeviceOutputs& out);
  void attach_all(Times now, DeviceOutputs& out);
  void detach_all(Times now, DeviceOutputs& out);
  void move_peer(std::uint32_t id, const Peer& peer, Times now, DeviceOutputs& out);
  [[nodiscard]] tunnel::wireguard::PeerParams params_of(std::uint32_t id, const Peer& peer) const;
  [[nodiscard]] tunnel::uapi::PeerState state_of(std::uint32_t id, const Peer& peer) const;

  // device_packets.cc
  void deliver(const tunnel::wire::Delivery& delivery, DeviceOutputs& out);
  void emit(const core::TunPacket& packet, Times now, DeviceOutputs& out);
  void answer_keys(Times now, DeviceOutputs& out);
  [[nodiscard]] tunnel::wire::KeyReply answer(const tunnel::wire::KeyRequest& request) const;
  void settle(Times now, DeviceOutputs& out);

  tunnel::uapi::Key private_key_;
  PublicKey public_key_{};  // of it, when there is one
  bool up_ = false;
  std::uint16_t mtu_ = kDefaultMtu;
  Peers peers_;
  std::map<PublicKey, std::uint32_t> ids_;
  std::uint32_t last_id_ = 0;
  AllowedIps allowed_;
  tunnel::wireguard::Endpoint endpoint_;
  std::vector<tunnel::wire::Bytes> segments_;  // of one super-packet
  DeviceDrops drops_;
};

}  // namespace gateway::wg
