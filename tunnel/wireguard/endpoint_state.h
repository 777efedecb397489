// What stands behind Endpoint. One struct, its functions by topic: endpoint.cc (edge), endpoint_peers.cc,
// endpoint_initiator.cc, endpoint_responder.cc, endpoint_transport.cc, endpoint_timers.cc.
#pragma once

#include <string_view>

#include "tunnel/wireguard/directory.h"
#include "tunnel/wireguard/initiation_pace.h"
#include "tunnel/wireguard/load_gauge.h"
#include "tunnel/wireguard/pending.h"
#include "tunnel/wireguard/rate_limiter.h"
#include "tunnel/wireguard/seen_initiations.h"
#include "tunnel/wireguard/timestamp.h"

namespace tunnel::wireguard {

// One call into the endpoint: its time and its outputs.
struct Turn {
  Instant now;
  wire::Outputs& out;
};

[[nodiscard]] inline PeerName name_of(const Peer& peer) {
  return {peer.params.id, peer.params.public_key, peer.params.preshared_key};
}
[[nodiscard]] inline std::span<const std::uint8_t, 32> dh_of(const wire::KeyReply& reply) {
  return reply.output.expose().first<32>();
}
// keyd mixes the preshared key into this chaining key.
[[nodiscard]] inline wire::KeyRequest psk_request(const Peer& peer, const Noise& noise) {
  wire::KeyRequest request;
  request.operation = wire::KeyRequest::Operation::kMixPsk;
  request.key = peer.params.preshared_key;
  request.input = crypto::Secret<32>(noise.chaining_key());
  return request;
}

enum class Attempt : std::uint8_t { kFresh, kRetry };

struct Endpoint::State {
  State(EndpointParams wanted, crypto::Rng& random, Instant now);

  // endpoint_peers.cc
  void set_peer(const PeerParams& wanted, Turn turn);
  void remove_peer(Peer& peer, Turn turn);
  void move_path(Peer& peer, const wire::OuterPath& path, Turn turn);
  void session_confirmed(Peer& peer, Turn turn);
  void tunnel_down(Peer& peer, Turn turn);
  void retire(Peer& peer, std::unique_ptr<Session> session);
  void arm(Peer& peer);
  [[nodiscard]] Peer* still_there(const PeerName& name, const wire::OuterPath& path) const;
  [[nodiscard]] Duration jitter();

  // endpoint_initiator.cc
  void start_handshake(Peer& peer, Attempt attempt, Turn turn);
  void begin_handshake(Peer& peer, Turn turn);
  void take_turns(Turn turn);
  void receive_response(const wire::OuterDatagram& datagram, Turn turn);
  void receive_cookie_reply(const wire::OuterDatagram& datagram, Turn turn);
  void proceed(step::Initiate& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  void proceed(step::FinishStatic& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  void proceed(step::FinishPsk& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  void finish_handshake(Peer& peer, step::FinishPsk& step, const wire::OuterPath& path, Turn turn);
  void withhold(Peer& peer, Turn turn);
  void allow_timestamps(std::uint64_t tai_seconds, Turn turn);

  // endpoint_responder.cc
  [[nodiscard]] bool admit(const wire::OuterDatagram& datagram, std::uint32_t sender, bool awaited, Turn turn);
  void receive_initiation(const wire::OuterDatagram& datagram, Turn turn);
  void proceed(step::OpenStatic& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  void proceed(step::OpenTimestamp& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  void proceed(step::Respond& step, const PendingStep& pending, const wire::KeyReply& reply, Turn turn);
  [[nodiscard]] bool accept_timestamp(Peer& peer, const Timestamp& timestamp, const wire::OuterPath& path, Turn turn);
  void respond(Peer& peer, step::Respond& step, const wire::OuterPath& path, Turn turn);

  // endpoint_transport.cc
  void receive_transport(const wire::OuterDatagram& datagram, Turn turn);
  void authenticated(Peer& peer, Session& session, const wire::OuterPath& path, Turn turn);
  void deliver(Peer& peer, wire::Bytes plain, const wire::OuterDatagram& datagram, Turn turn);
  void send(Peer& peer, const wire::InnerPacket& packet, Turn turn);
  void stage(Peer& peer, wire::ConstBytes packet, Turn turn);
  void send_staged_or_keepalive(Peer& peer, Turn turn);
  // An inner packet without octets is a keepalive.
  void seal(Peer& peer, Session& session, const wire::InnerPacket& inner, Turn turn);
  void keep_fresh(Peer& peer, const Session& session, Turn turn);

  // endpoint_timers.cc
  void wake(Peer& peer, Turn turn);
  void retransmit_due(Peer& peer, Turn turn);
  void give_up(Peer& peer, Turn turn);
  void keepalives_due(Peer& peer, Turn turn);
  void session_ends_due(Peer& peer, Turn turn);

  // endpoint.cc
  void ask(wire::KeyRequest request, PendingStep step, Turn turn);
  void tell(wire::EventKind kind, const Peer& peer, std::string_view detail, Turn turn);
  void note_failure(Peer& peer, Failure failure, Turn turn);
  void tell_failure(Peer& peer, const wire::OuterPath& path, Failure failure, Turn turn);
  void transmit(const wire::OuterPath& path, wire::ConstBytes bytes, std::uint8_t ecn, Turn turn);

  EndpointParams params;
  crypto::Rng& rng;
  crypto::Aead aead;
  TimestampSource timestamps;
  CookieChecker checker;
  RateLimiter limiter;
  SeenInitiations seen;
  LoadGauge load;
  Directory directory;
  PendingTable called, calling;  // steps of others' calls, even ids; of ours, odd ones
  InitiationPace pace;
  std::deque<wire::PeerId> queue;      // who wants to call; passed over when no longer `queued`
  std::vector<wire::PeerId> withheld;  // initiations that wait for allow_timestamps
  std::uint64_t withheld_count = 0;
  std::optional<Instant> unknown_told;  // one kUnknownPeer event a second
#ifdef SEKISHO_FAULTS
  Faults faults;
#endif
};

}  // namespace tunnel::wireguard
