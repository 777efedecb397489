// All tunnels of one worker behind one set of calls: a datagram goes to the protocol of the socket it came in by, a
// packet to the protocol of its peer. What protocol a facility speaks is known here and nowhere else in the data plane.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "gateway/core/messages.h"
#include "tunnel/ike/endpoint.h"
#include "tunnel/wireguard/endpoint.h"

namespace gateway::core {

using config::value::Instant;
using config::value::WallTime;
using TunnelParams = std::variant<tunnel::wireguard::PeerParams, tunnel::ike::PeerParams>;

// A socket of the shell. `number` is what stands in OuterPath::socket; it means this socket as long as the process
// lives.
struct OuterSocket {
  std::uint16_t number = 0;
  BoundSocket bound;
};

struct TunnelCounters {
  std::uint64_t received_bytes = 0, received_packets = 0, sent_bytes = 0, sent_packets = 0;  // inner bytes
  std::uint64_t outer_received = 0, outer_sent = 0;  // octets of UDP payload with WireGuard, of ESP with IKEv2
  std::uint64_t handshakes = 0;
  std::optional<Instant> last_handshake, last_heard;  // heard: anything authentic of the peer
  std::optional<tunnel::wire::OuterPath> path;
  bool up = false;
  std::string problem;  // why the last handshakes failed, for a person; empty after one that did not
  std::optional<Instant> problem_since;
  std::string negotiated;                       // of IKEv2: the algorithms in use
  std::optional<WallTime> certificate_expires;  // of the peer's chain, the first end
};

class Tunnels {
 public:
  explicit Tunnels(tunnel::crypto::Rng& rng) : rng_(rng) {}

  // Everything of before is gone. Peers are set again by the caller.
  void open_wireguard(tunnel::wireguard::EndpointParams params, Instant now);
  void close_wireguard() { wireguard_.reset(); }
  [[nodiscard]] bool has_wireguard() const { return wireguard_.has_value(); }
  // What is there stays.
  void open_ike(WallTime wall, Instant now);
  void close_ike() { ike_.reset(); }
  // A socket that is not named belongs to WireGuard.
  void set_sockets(std::span<const OuterSocket> sockets);

  // A peer that spoke the other protocol before is removed there by the caller.
  void set_peer(const TunnelParams& params, Instant now, tunnel::wire::Outputs& out);
  void remove_peer(const TunnelParams& params, Instant now, tunnel::wire::Outputs& out);

  void receive(const tunnel::wire::OuterDatagram& datagram, Instant now, tunnel::wire::Outputs& out);
  void send(const TunnelParams& peer, const tunnel::wire::InnerPacket& packet, Instant now, tunnel::wire::Outputs& out);
  [[nodiscard]] std::vector<std::vector<std::uint8_t>> take_staged(const TunnelParams& peer);
  void on_key_reply(const tunnel::wire::KeyReply& reply, Instant now, tunnel::wire::Outputs& out);
  void on_deadline(Instant now, tunnel::wire::Outputs& out);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void set_wall_time(WallTime wall, Instant now);

  [[nodiscard]] std::optional<TunnelCounters> counters(const TunnelParams& peer) const;
  [[nodiscard]] std::uint64_t timestamp_used() const { return wireguard_ ? wireguard_->timestamp_used() : 0; }
  void allow_timestamps(std::uint64_t tai_seconds, Instant now, tunnel::wire::Outputs& out);
  [[nodiscard]] std::uint64_t initiations_withheld() const {
    return wireguard_ ? wireguard_->initiations_withheld() : 0;
  }
#ifdef SEKISHO_FAULTS
  void open_selectors(bool open);
#endif

 private:
  [[nodiscard]] bool is_ike(std::uint16_t socket) const;
  void tell_doors();

  tunnel::crypto::Rng& rng_;
  std::optional<tunnel::wireguard::Endpoint> wireguard_;
  std::optional<tunnel::ike::Endpoint> ike_;
  std::vector<OuterSocket> sockets_;
  std::vector<bool> ike_sockets_;  // by number
#ifdef SEKISHO_FAULTS
  bool open_selectors_ = false;
#endif
};

[[nodiscard]] tunnel::wire::PeerId id_of(const TunnelParams& params);
void set_id(TunnelParams& params, tunnel::wire::PeerId id);

}  // namespace gateway::core
