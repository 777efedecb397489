// The edge: every call hands on, and leaves deadlines and peers right.
#include "tunnel/ike/endpoint.h"

#include <sodium.h>

#include "tunnel/ike/endpoint_state.h"
#include "tunnel/wire/require.h"

namespace tunnel::ike {
Endpoint::State::State(EndpointParams wanted, crypto::Rng& random, Instant now)
    : params(std::move(wanted)), rng(random), cookies(random), admission(params.admission, random), wall_set(now) {
  last_key_request = params.first_key_request - 1;
}

void Endpoint::State::tell(wire::EventKind kind, const Peer& peer, std::string_view detail, Turn turn) {
  turn.out.events.push_back({kind, peer.params.id, peer.path.value_or(wire::OuterPath{}), std::string(detail)});
}

void Endpoint::State::tell_failure(Peer& peer, const wire::OuterPath& path, std::string_view detail, Turn turn) {
  if (!first_in_a_second(peer.failure_told, turn.now)) return;
  turn.out.events.push_back({wire::EventKind::kHandshakeFailed, peer.params.id, path, std::string(detail)});
}

void Endpoint::State::tell_stranger(const wire::OuterPath& path, std::string_view detail, Turn turn) {
  if (!first_in_a_second(stranger_told, turn.now)) return;
  turn.out.events.push_back({wire::EventKind::kUnknownPeer, {}, path, std::string(detail)});
}

void Endpoint::State::on_key_reply(const wire::KeyReply& reply, Turn turn) {
  const auto asked = key_requests.find(reply.id);
  if (asked == key_requests.end()) return;  // the SA is gone, or never asked
  IkeSa* const sa = sa_by_spi(asked->second);
  key_requests.erase(asked);
  if (sa == nullptr || sa->key_request != reply.id || peer_of(*sa) == nullptr) return;
  sa->key_request = 0;
  const Asked what = std::exchange(sa->asked, Asked::kNothing);
  if (what == Asked::kPeerAuthentication) return judge_authentication(*sa, reply, turn);
  if (what == Asked::kPpk) return ppk_answered(*sa, reply, turn);
  if (!sa->initiator) return answer_auth(*sa, reply, turn);
  if (!reply.good) return abandon_auth(*sa, "our own key cannot be used", turn);
  if (what == Asked::kOwnAuthentication) return own_answered(*sa, reply, turn);
  send_auth(*sa, sa->handshake->own_authentication, authentication_data(*sa, *peer_of(*sa), reply), turn);
}

Endpoint::Endpoint(EndpointParams params, crypto::Rng& rng, Instant now) {
  wire::require(sodium_init() >= 0);  // chooses the fast implementations; repeating it does nothing
  state_ = std::make_unique<State>(std::move(params), rng, now);
}
Endpoint::~Endpoint() = default;
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;

void Endpoint::set_peer(const PeerParams& peer, Instant now, wire::Outputs& out) {
  state_->set_peer(peer, {now, out});
  state_->end_call({now, out});  // what was deleted is gone before a new attempt
  state_->on_deadline({now, out});
  state_->end_call({now, out});
}

void Endpoint::remove_peer(wire::PeerId id, Instant now, wire::Outputs& out) {
  const auto found = state_->peers.find(id.number);
  if (found == state_->peers.end()) return;
  state_->remove_peer(*found->second, {now, out});
  state_->end_call({now, out});
}

void Endpoint::receive(wire::OuterDatagram datagram, Instant now, wire::Outputs& out) {
  state_->receive(datagram, {now, out});
  state_->end_call({now, out});
}

void Endpoint::send(const wire::InnerPacket& packet, Instant now, wire::Outputs& out) {
  state_->send(packet, {now, out});
  state_->end_call({now, out});
}

std::vector<std::vector<std::uint8_t>> Endpoint::take_staged(wire::PeerId id) {
  const auto found = state_->peers.find(id.number);
  if (found == state_->peers.end()) return {};
  auto staged = std::exchange(found->second->staged, {});
  return {std::make_move_iterator(staged.begin()), std::make_move_iterator(staged.end())};
}

void Endpoint::on_key_reply(const wire::KeyReply& reply, Instant now, wire::Outputs& out) {
  state_->on_key_reply(reply, {now, out});
  state_->end_call({now, out});
}

void Endpoint::on_deadline(Instant now, wire::Outputs& out) {
  state_->on_deadline({now, out});
  state_->end_call({now, out});
}

std::optional<Instant> Endpoint::next_deadline() const {
  Instant next = kNever;
  if (!state_->deadlines.empty()) next = state_->deadlines.begin()->first;
  if (!state_->farewell_deadlines.empty()) next = std::min(next, state_->farewell_deadlines.begin()->first);
  if (!state_->attempts.empty()) next = std::min(next, state_->attempts.begin()->first);
  return next == kNever ? std::nullopt : std::optional(next);
}

void Endpoint::set_doors(std::vector<Door> doors, std::vector<wire::IpAddress> addresses) {
  state_->set_doors(std::move(doors), std::move(addresses));
}

// Told at every deadline: the certificates' ends are looked at again only when the wall clock has been put elsewhere.
void Endpoint::set_wall_time(wire::WallTime wall_now, Instant now) {
  const auto moved = wall_now - state_->wall(now);
  if (moved < std::chrono::seconds(1) && moved > -std::chrono::seconds(1)) return;
  state_->params.wall_now = wall_now;
  state_->wall_set = now;
  for (auto& [spi, sa] : state_->sas)
    if (sa->proof) state_->arm(*sa);
}

std::optional<PeerCounters> Endpoint::counters(wire::PeerId id) const {
  const auto found = state_->peers.find(id.number);
  if (found == state_->peers.end()) return std::nullopt;
  PeerCounters counters = found->second->counters;
  counters.path = found->second->path;
  return counters;
}

std::size_t Endpoint::half_open() const {
  return state_->admission.half_open();
}

std::size_t Endpoint::ike_sas() const {
  return state_->sas.size();
}

std::size_t Endpoint::esp_spis() const {
  return state_->child_spis.size();
}

#ifdef SEKISHO_FAULTS
void Endpoint::set_faults(Faults faults) {
  state_->faults = faults;
}
#endif

}  // namespace tunnel::ike
