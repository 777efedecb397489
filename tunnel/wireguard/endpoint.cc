// The edge: every call finds its peer or step, hands on, and leaves the deadlines right.
#include "tunnel/wireguard/endpoint.h"

#include <iterator>
#include <utility>

#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {

Endpoint::State::State(EndpointParams wanted, crypto::Rng& random, Instant now)
    : params(std::move(wanted)),
      rng(random),
      timestamps({params.wall_now, params.timestamp_floor}, now),
      checker(params.public_key),
      limiter(random),
      directory(params.worker, random),
      called(params.max_pending_handshakes, 2),
      calling(1, 1) {}

void Endpoint::State::ask(wire::KeyRequest request, PendingStep step, Turn turn) {
  step.since = turn.now;
  const PendingTable::Added added = (step.own ? calling : called).add(std::move(step));
  if (added.dropped_oldest) turn.out.drops.add(wire::Drop::kQueueFull);
  request.id = added.id;
  if (request.operation == wire::KeyRequest::Operation::kStaticDh) request.key = params.private_key;
  turn.out.key_requests.push_back(std::move(request));
}

void Endpoint::State::tell(wire::EventKind kind, const Peer& peer, std::string_view detail, Turn turn) {
  turn.out.events.push_back({kind, peer.params.id, peer.path.value_or(wire::OuterPath{}), std::string(detail)});
}

void Endpoint::State::note_failure(Peer& peer, Failure failure, Turn turn) {
  if (peer.counters.problem != sentence(failure)) peer.counters.problem_since = turn.now;
  peer.counters.problem = sentence(failure);
  peer.problem_seen = turn.now;
}

void Endpoint::State::tell_failure(Peer& peer, const wire::OuterPath& path, Failure failure, Turn turn) {
  note_failure(peer, failure, turn);
  auto& told = peer.failure_told[static_cast<std::size_t>(failure)];
  if (told && turn.now - *told < kFailureInterval) return;
  told = turn.now;
  const std::string detail(sentence(failure));
  turn.out.events.push_back({wire::EventKind::kHandshakeFailed, peer.params.id, path, detail});
}

void Endpoint::State::transmit(const wire::OuterPath& path, wire::ConstBytes bytes, std::uint8_t ecn, Turn turn) {
  turn.out.transmits.push_back({path, bytes, ecn});
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
}

void Endpoint::remove_peer(wire::PeerId id, Instant now, wire::Outputs& out) {
  if (Peer* const peer = state_->directory.by_id(id)) state_->remove_peer(*peer, {now, out});
}

void Endpoint::set_identity(std::string private_key, const PublicKey& public_key) {
  state_->params.private_key = std::move(private_key);
  state_->params.public_key = public_key;
  state_->checker = CookieChecker(public_key);
  state_->called.clear();
  state_->calling.clear();
}

void Endpoint::receive(wire::OuterDatagram datagram, Instant now, wire::Outputs& out) {
  const auto type = classify(datagram.bytes);
  if (!type) return out.drops.add(wire::Drop::kMalformed);
  switch (*type) {
    case MessageType::kTransport:
      return state_->receive_transport(datagram, {now, out});
    case MessageType::kInitiation:
      return state_->receive_initiation(datagram, {now, out});
    case MessageType::kResponse:
      return state_->receive_response(datagram, {now, out});
    case MessageType::kCookieReply:
      return state_->receive_cookie_reply(datagram, {now, out});
  }
}

void Endpoint::send(const wire::InnerPacket& packet, Instant now, wire::Outputs& out) {
  Peer* const peer = state_->directory.by_id(packet.peer);
  if (peer == nullptr) return out.drops.add(wire::Drop::kUnknownDestination);
  state_->send(*peer, packet, {now, out});
}

std::vector<std::vector<std::uint8_t>> Endpoint::take_staged(wire::PeerId id) {
  Peer* const peer = state_->directory.by_id(id);
  if (peer == nullptr) return {};
  auto staged = std::exchange(peer->staged, {});
  return {std::make_move_iterator(staged.begin()), std::make_move_iterator(staged.end())};
}

void Endpoint::on_key_reply(const wire::KeyReply& reply, Instant now, wire::Outputs& out) {
  auto pending = (reply.id % 2 == 0 ? state_->called : state_->calling).take(reply.id);
  if (!pending) return;  // dropped, expired, or never asked
  std::visit([&](auto& step) { state_->proceed(step, *pending, reply, {now, out}); }, pending->what);
}

void Endpoint::on_deadline(Instant now, wire::Outputs& out) {
  out.drops.add(wire::Drop::kKeyRefused, state_->called.expire(now) + state_->calling.expire(now));
  for (Peer* peer = state_->directory.deadlines().first(); peer != nullptr && peer->wakes <= now;
       peer = state_->directory.deadlines().first()) {
    state_->wake(*peer, {now, out});
  }
  state_->take_turns({now, out});
}

std::optional<Instant> Endpoint::next_deadline() const {
  const Peer* const first = state_->directory.deadlines().first();
  const Instant timer = first == nullptr ? kNever : first->wakes;
  const Instant turn = state_->queue.empty() ? kNever : state_->pace.next();
  const Instant next = std::min({timer, turn, state_->called.next_expiry(), state_->calling.next_expiry()});
  return next == kNever ? std::nullopt : std::optional(next);
}

std::optional<PeerCounters> Endpoint::counters(wire::PeerId id) const {
  const Peer* const peer = state_->directory.by_id(id);
  if (peer == nullptr) return std::nullopt;
  PeerCounters counters = peer->counters;
  counters.path = peer->path;
  return counters;
}

std::uint64_t Endpoint::timestamp_used() const {
  return state_->timestamps.used_seconds();
}

void Endpoint::allow_timestamps(std::uint64_t tai_seconds, Instant now, wire::Outputs& out) {
  state_->allow_timestamps(tai_seconds, {now, out});
}

std::uint64_t Endpoint::initiations_withheld() const {
  return state_->withheld_count;
}

void Endpoint::set_wall_time(WallTime wall_now, Instant now) {
  state_->timestamps.set_wall_time(wall_now, now);
}

#ifdef SEKISHO_FAULTS
void Endpoint::set_faults(Faults faults) {
  state_->faults = faults;
}
#endif

}  // namespace tunnel::wireguard
