// WireGuard for all peers of one worker, without I/O (design 5; paper: Donenfeld, "WireGuard", NDSS 2017, rev.
// 2020-06).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/wire/outputs.h"
#include "tunnel/wire/packet.h"

namespace tunnel::wireguard {

using wire::Duration;
using wire::Instant;
using wire::WallTime;
using PublicKey = std::array<std::uint8_t, 32>;

struct EndpointParams {
  std::string private_key;                     // its name at keyd
  PublicKey public_key{};                      // of that private key
  std::uint8_t worker = 0;                     // stands in the top 8 bits of every receiver index we choose
  WallTime wall_now;                           // for TAI64N; the endpoint advances it with Instant and never goes back
  std::uint64_t timestamp_floor = 0;           // last TAI64N seconds used before a restart: the next is larger (S18)
  std::uint64_t timestamp_limit = UINT64_MAX;  // what is durable already; see allow_timestamps
  std::size_t max_pending_handshakes = 4096;   // calls of others that wait for keyd; ours are bounded by the peers
};

struct PeerParams {
  wire::PeerId id;
  PublicKey public_key{};
  std::string preshared_key;  // name at keyd; empty: all-zero key, mixed locally
  std::optional<wire::SocketAddress> endpoint;
  std::vector<wire::Prefix> outer_sources;  // empty: any. Handshakes and data from elsewhere are dropped before crypto.
  std::vector<wire::Prefix> allowed;        // inner prefixes of the peer (real addresses): checked after decryption
  Duration persistent_keepalive{};          // zero: off
  std::uint16_t mtu = 1420;                 // inner: padding to 16 octets never goes beyond it
  friend bool operator==(const PeerParams&, const PeerParams&) = default;
};

struct PeerCounters {
  std::uint64_t received_bytes = 0, received_packets = 0, sent_bytes = 0, sent_packets = 0;  // inner bytes
  // Octets of UDP payload: all that was sent, and of what came in all that was authentic; handshakes and keepalives
  // too.
  std::uint64_t outer_received = 0, outer_sent = 0;
  std::uint64_t handshakes = 0;
  std::optional<Instant> last_handshake;
  std::optional<Instant> last_heard;  // anything authentic, keepalives too
  std::optional<wire::OuterPath> path;
  bool up = false;
  std::string_view problem;  // why the last handshakes failed; empty after one that did not
  std::optional<Instant> problem_since;
};

#ifdef SEKISHO_FAULTS
struct Faults {                 // deliberate mistakes, so that tests can show what the other layers catch (promise P4)
  bool open_selectors = false;  // deliver whatever source an authenticated inner packet claims
};
#endif

// A Transmit to a configured endpoint that has not been heard from yet has an unspecified path.local (of the remote's
// family) and socket 0: the shell then chooses the socket by the family. InnerPacket::segmentation must be none, its
// checksum complete.
class Endpoint {  // no clock, no socket, no log
 public:
  Endpoint(EndpointParams params, crypto::Rng& rng, Instant now);
  ~Endpoint();
  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;

  // A peer that was there with other parameters is changed in place: the session stays unless key or PSK changed.
  void set_peer(const PeerParams& peer, Instant now, wire::Outputs& out);
  void remove_peer(wire::PeerId id, Instant now, wire::Outputs& out);
  // Another key of our own. Handshakes under way are forgotten; sessions would stay with their peers, so who changes
  // the key removes the peers before and sets them again after.
  void set_identity(std::string private_key, const PublicKey& public_key);

  // One datagram of a batch. Transport data is opened in place and appended to out.deliveries.
  void receive(wire::OuterDatagram datagram, Instant now, wire::Outputs& out);
  // Seals, or queues (<= 128 per peer) and starts a handshake when there is no session.
  void send(const wire::InnerPacket& packet, Instant now, wire::Outputs& out);
  // The packets that wait for a session, oldest first; they wait no longer. For an owner whose rules have changed.
  [[nodiscard]] std::vector<std::vector<std::uint8_t>> take_staged(wire::PeerId id);
  void on_key_reply(const wire::KeyReply& reply, Instant now, wire::Outputs& out);
  void on_deadline(Instant now, wire::Outputs& out);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] std::optional<PeerCounters> counters(wire::PeerId id) const;
  // TAI64N seconds of the latest timestamp; the floor before there was one.
  [[nodiscard]] std::uint64_t timestamp_used() const;
  // The shell has stored (fsync) that timestamps up to these TAI64N seconds may have been used, and will give them as
  // timestamp_floor after a restart. Initiations that waited for it go now. A smaller number changes nothing.
  void allow_timestamps(std::uint64_t tai_seconds, Instant now, wire::Outputs& out);
  [[nodiscard]] std::uint64_t initiations_withheld() const;  // since the start, for want of a durable timestamp
  // Before the shell adopts a corrected wall clock. Backwards steps never move the timestamps back.
  void set_wall_time(WallTime wall_now, Instant now);
#ifdef SEKISHO_FAULTS
  void set_faults(Faults faults);
#endif

 private:
  friend struct Inspection;  // of tests: counters that no test lives long enough to reach
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tunnel::wireguard
