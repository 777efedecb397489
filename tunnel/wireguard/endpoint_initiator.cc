// We call: WireGuard 5.4.2 sent, 5.4.3 received, 5.4.7 received, 6.4.
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {
// WireGuard 6.4: never more than one initiation each REKEY-TIMEOUT; what is fresh begins a new REKEY-ATTEMPT-TIME.
void Endpoint::State::start_handshake(Peer& peer, Attempt attempt, Turn turn) {
  if (!peer.path) return;
  if (attempt == Attempt::kFresh) peer.timers.attempt_until = turn.now + kRekeyAttemptTime;
  if (peer.initiation_sent && turn.now - *peer.initiation_sent < kRekeyTimeout) return;
  if (peer.queued) return;
  if (queue.empty() && pace.take(turn.now, directory.size())) return begin_handshake(peer, turn);
  peer.queued = true;
  queue.push_back(peer.params.id);
}

void Endpoint::State::take_turns(Turn turn) {
  while (!queue.empty()) {
    Peer* const peer = directory.by_id(queue.front());
    const bool wanted = peer != nullptr && peer->queued;
    if (wanted && !pace.take(turn.now, directory.size())) return;
    queue.pop_front();
    if (!wanted) continue;
    peer->queued = false;
    turn.now < peer->timers.attempt_until ? begin_handshake(*peer, turn) : give_up(*peer, turn);
  }
}

void Endpoint::State::begin_handshake(Peer& peer, Turn turn) {
  if (!peer.path) return;
  peer.initiation_sent = turn.now;
  peer.timers.initiation_sent(turn.now, jitter());
  arm(peer);
  wire::KeyRequest request;
  request.input = crypto::Secret<32>(peer.params.public_key);
  ask(std::move(request), {*peer.path, {}, true, step::Initiate{name_of(peer)}}, turn);
}

void Endpoint::State::proceed(step::Initiate& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  Peer* const peer = still_there(step.peer, pending_step.path);
  if (peer == nullptr || !peer->path) return;
  if (!reply.good) {
    turn.out.drops.add(wire::Drop::kKeyRefused);
    return tell_failure(*peer, *peer->path, Failure::kOwnKey, turn);
  }
  const auto timestamp = timestamps.next(turn.now, params.timestamp_limit);
  if (!timestamp && timestamp.error() == NoTimestamp::kNotDurable) return withhold(*peer, turn);
  if (!timestamp) return tell_failure(*peer, *peer->path, Failure::kClock, turn);
  const std::uint32_t index = directory.new_index(*peer);
  auto created =
      create_initiation({params.public_key, peer->params.public_key}, dh_of(reply), *timestamp, index, aead, rng);
  if (!created) {
    directory.release(index);
    return tell_failure(*peer, *peer->path, Failure::kLowOrder, turn);
  }
  if (peer->counters.problem == sentence(Failure::kNotDurable)) peer->counters.problem = {};
  directory.drop_initiation(*peer);
  peer->initiation = std::move(created->state);
  wire::Writer writer(turn.out.arena.take(kInitiationSize));
  write(writer, created->message);
  peer->cookies.append_macs(writer, turn.now);
  transmit(*peer->path, writer.written(), 0, turn);
  peer->counters.outer_sent += kInitiationSize;
  peer->initiation_sent = turn.now;
  peer->timers.initiation_sent(turn.now, jitter());
  peer->timers.sent(turn.now, peer->params.persistent_keepalive);
  arm(*peer);
}

void Endpoint::State::withhold(Peer& peer, Turn turn) {
  note_failure(peer, Failure::kNotDurable, turn);
  ++withheld_count;
  if (!std::exchange(peer.withheld, true)) withheld.push_back(peer.params.id);
}

void Endpoint::State::allow_timestamps(std::uint64_t tai_seconds, Turn turn) {
  if (tai_seconds <= params.timestamp_limit) return;
  params.timestamp_limit = tai_seconds;
  for (const wire::PeerId id : std::exchange(withheld, {})) {
    Peer* const peer = directory.by_id(id);
    if (peer == nullptr || !std::exchange(peer->withheld, false)) continue;  // another now has this id
    peer->initiation_sent.reset();                                           // nothing was sent
    start_handshake(*peer, Attempt::kRetry, turn);
  }
}

void Endpoint::State::receive_response(const wire::OuterDatagram& datagram, Turn turn) {
  const Response message = parse_response(datagram.bytes);
  const Directory::Receiver receiver = directory.receiver(message.receiver);
  const bool known = receiver.peer != nullptr && receiver.session == nullptr && receiver.peer->initiation;
  const bool awaited = known && !receiver.peer->initiation->answered;
  if (!admit(datagram, message.sender, awaited, turn)) return;
  if (!known) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  Peer& peer = *receiver.peer;
  if (!peer.outer_source_allowed(datagram.path.remote.address)) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  Noise noise = peer.initiation->noise.duplicate();
  if (!mix_initiator_ephemeral(noise, peer.initiation->ephemeral.expose(), message.ephemeral)) {
    return turn.out.drops.add(wire::Drop::kForged);
  }
  peer.initiation->answered = true;
  wire::KeyRequest request;
  request.input = crypto::Secret<32>(message.ephemeral);
  ask(std::move(request), {datagram.path, {}, awaited, step::FinishStatic{name_of(peer), message, std::move(noise)}},
      turn);
}

void Endpoint::State::proceed(step::FinishStatic& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  Peer* const peer = still_there(step.peer, pending_step.path);
  if (peer == nullptr) return;
  if (!reply.good) return turn.out.drops.add(wire::Drop::kKeyRefused);
  step.noise.mix_dh(dh_of(reply));
  step::FinishPsk finish{step.peer, step.message, std::move(step.noise)};
  if (peer->params.preshared_key.empty()) {
    finish.noise.mix_psk(std::array<std::uint8_t, 32>{});  // WireGuard 5.2: all zero when there is none
    return finish_handshake(*peer, finish, pending_step.path, turn);
  }
  wire::KeyRequest request = psk_request(*peer, finish.noise);
  ask(std::move(request), {pending_step.path, {}, pending_step.own, std::move(finish)}, turn);
}

void Endpoint::State::proceed(step::FinishPsk& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  Peer* const peer = still_there(step.peer, pending_step.path);
  if (peer == nullptr) return;
  if (!reply.good) {
    turn.out.drops.add(wire::Drop::kKeyRefused);
    return tell_failure(*peer, pending_step.path, Failure::kPresharedKeyRefused, turn);
  }
  step.noise.mix_psk_output(reply.output.expose());
  finish_handshake(*peer, step, pending_step.path, turn);
}

void Endpoint::State::finish_handshake(Peer& peer, step::FinishPsk& step, const wire::OuterPath& path, Turn turn) {
  // The initiation may have been answered or replaced while keyd was asked.
  if (!peer.initiation || peer.initiation->local_index != step.message.receiver) {
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  }
  if (!open_response(step.noise, step.message, aead)) {
    turn.out.drops.add(wire::Drop::kForged);
    return tell_failure(peer, path, Failure::kResponseForged, turn);
  }
  SessionKeys keys = step.noise.split();
  auto session = std::make_unique<Session>();
  session->sending = std::move(keys.first);
  session->receiving = std::move(keys.second);
  session->local_index = step.message.receiver;
  session->remote_index = step.message.sender;
  session->created = turn.now;
  session->initiator = true;
  directory.assign(session->local_index, *session);
  peer.initiation.reset();  // its index lives on in the session
  retire(peer, std::move(peer.current));
  retire(peer, std::move(peer.next));
  peer.current = std::move(session);
  move_path(peer, path, turn);
  peer.counters.outer_received += kResponseSize;
  peer.counters.last_heard = turn.now;
  peer.timers.received(turn.now, peer.params.persistent_keepalive);
  peer.timers.session_made(turn.now);
  session_confirmed(peer, turn);
  send_staged_or_keepalive(peer, turn);  // WireGuard 5.4: the responder may send only after our first packet
  arm(peer);
}

// WireGuard 5.4.7: the reply answers our last initiation or response; the next one carries mac2.
void Endpoint::State::receive_cookie_reply(const wire::OuterDatagram& datagram, Turn turn) {
  const CookieReply message = parse_cookie_reply(datagram.bytes);
  const Directory::Receiver receiver = directory.receiver(message.receiver);
  if (receiver.peer == nullptr) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  if (!receiver.peer->outer_source_allowed(datagram.path.remote.address)) {
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  }
  if (!receiver.peer->cookies.accept(message, turn.now)) turn.out.drops.add(wire::Drop::kForged);
}

}  // namespace tunnel::wireguard
