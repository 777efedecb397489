// We are called: WireGuard 5.4.2 received, 5.4.3 sent, 5.3 under load.
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {
// WireGuard 5.3: silence without mac1; under load a cookie instead of work until mac2 is right, then a bucket for each
// source.
// `awaited`: the first answer to a call of ours.
bool Endpoint::State::admit(const wire::OuterDatagram& datagram, std::uint32_t sender, bool awaited, Turn turn) {
  if (!checker.mac1_good(datagram.bytes)) {
    turn.out.drops.add(wire::Drop::kBadMac);
    return false;
  }
  if (!awaited) load.count(turn.now);
  if (!load.loaded(called.size(), turn.now)) return true;
  if (!checker.mac2_good(datagram.bytes, datagram.path.remote, turn.now)) {
    wire::Writer writer(turn.out.arena.take(kCookieReplySize));
    write(writer, checker.reply(datagram.bytes, sender, datagram.path.remote, turn.now, rng));
    transmit(datagram.path, writer.written(), 0, turn);
    turn.out.drops.add(wire::Drop::kUnderLoad);
    return false;
  }
  if (limiter.allow(datagram.path.remote.address, turn.now)) return true;
  turn.out.drops.add(wire::Drop::kRateLimited);
  return false;
}

void Endpoint::State::receive_initiation(const wire::OuterDatagram& datagram, Turn turn) {
  const Initiation message = parse_initiation(datagram.bytes);
  if (!admit(datagram, message.sender, false, turn)) return;
  if (seen.contains(message.ephemeral)) return turn.out.drops.add(wire::Drop::kStaleTimestamp);
  wire::KeyRequest request;
  request.input = crypto::Secret<32>(message.ephemeral);
  ask(std::move(request),
      {datagram.path, {}, false, step::OpenStatic{message, begin_response(params.public_key, message)}}, turn);
}

void Endpoint::State::proceed(step::OpenStatic& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  if (!reply.good) return turn.out.drops.add(wire::Drop::kKeyRefused);
  if (!open_static(step.state, step.message, dh_of(reply), aead)) return turn.out.drops.add(wire::Drop::kForged);
  Peer* const peer = directory.by_key(step.state.other);
  if (peer == nullptr) {
    turn.out.drops.add(wire::Drop::kUnknownReceiver);
    if (unknown_told && turn.now - *unknown_told < 1s) return;
    unknown_told = turn.now;
    turn.out.events.push_back({wire::EventKind::kUnknownPeer, {}, pending_step.path, {}});
    return;
  }
  if (!peer->outer_source_allowed(pending_step.path.remote.address)) {
    turn.out.drops.add(wire::Drop::kUnknownReceiver);
    if (!peer->counters.up) tell_failure(*peer, pending_step.path, Failure::kForeignSource, turn);  // a claim, no proof
    return;
  }
  wire::KeyRequest request;
  request.input = crypto::Secret<32>(step.state.other);
  ask(std::move(request),
      {pending_step.path, {}, false, step::OpenTimestamp{name_of(*peer), step.message, std::move(step.state)}}, turn);
}

void Endpoint::State::proceed(step::OpenTimestamp& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  Peer* const peer = still_there(step.peer, pending_step.path);
  if (peer == nullptr) return;
  if (!reply.good) return turn.out.drops.add(wire::Drop::kKeyRefused);
  const auto timestamp = open_timestamp(step.state, step.message, dh_of(reply), aead);
  if (!timestamp) return turn.out.drops.add(wire::Drop::kForged);
  seen.add(step.message.ephemeral);
  if (!accept_timestamp(*peer, *timestamp, pending_step.path, turn)) return;
  const auto ephemeral = mix_responder_ephemeral(step.state, rng);
  if (!ephemeral) return turn.out.drops.add(wire::Drop::kForged);
  step::Respond next{step.peer, *ephemeral, *timestamp, std::move(step.state)};
  if (peer->params.preshared_key.empty()) {
    next.state.noise.mix_psk(std::array<std::uint8_t, 32>{});  // WireGuard 5.2: all zero when there is none
    return respond(*peer, next, pending_step.path, turn);
  }
  wire::KeyRequest request = psk_request(*peer, next.state.noise);
  ask(std::move(request), {pending_step.path, {}, false, std::move(next)}, turn);
}

// WireGuard 5.1: an initiation with a timestamp not greater than the greatest is a replay.
bool Endpoint::State::accept_timestamp(Peer& peer, const Timestamp& timestamp, const wire::OuterPath& path, Turn turn) {
  if (timestamp <= peer.greatest_timestamp) {
    turn.out.drops.add(wire::Drop::kStaleTimestamp);
    tell_failure(peer, path, Failure::kStaleTimestamp, turn);
    return false;
  }
  if (peer.initiation_accepted && turn.now - *peer.initiation_accepted < kInitiationInterval) {
    turn.out.drops.add(wire::Drop::kRateLimited);
    return false;
  }
  peer.greatest_timestamp = timestamp;
  peer.initiation_accepted = turn.now;
  return true;
}

void Endpoint::State::proceed(step::Respond& step, const PendingStep& pending_step, const wire::KeyReply& reply,
                              Turn turn) {
  Peer* const peer = still_there(step.peer, pending_step.path);
  if (peer == nullptr) return;
  if (!reply.good) {
    turn.out.drops.add(wire::Drop::kKeyRefused);
    return tell_failure(*peer, pending_step.path, Failure::kPresharedKeyRefused, turn);
  }
  // A later initiation was accepted while keyd was asked: its session must not give way to this one.
  if (step.timestamp != peer->greatest_timestamp) return turn.out.drops.add(wire::Drop::kStaleTimestamp);
  step.state.noise.mix_psk_output(reply.output.expose());
  respond(*peer, step, pending_step.path, turn);
}

void Endpoint::State::respond(Peer& peer, step::Respond& step, const wire::OuterPath& path, Turn turn) {
  auto session = std::make_unique<Session>();
  session->local_index = directory.new_index(peer);
  session->remote_index = step.state.remote_index;
  session->created = turn.now;
  directory.assign(session->local_index, *session);
  const Response message = create_response(step.state, step.ephemeral, session->local_index, aead);
  SessionKeys keys = step.state.noise.split();
  session->receiving = std::move(keys.first);
  session->sending = std::move(keys.second);
  if (peer.unconfirmed++ >= kAnswersUnconfirmed) tell_failure(peer, path, Failure::kNeverConfirmed, turn);
  directory.drop_session(peer.next);  // never confirmed: the initiator has begun anew
  peer.next = std::move(session);
  move_path(peer, path, turn);
  wire::Writer writer(turn.out.arena.take(kResponseSize));
  write(writer, message);
  peer.cookies.append_macs(writer, turn.now);
  transmit(path, writer.written(), 0, turn);
  peer.counters.outer_received += kInitiationSize;
  peer.counters.last_heard = turn.now;
  peer.counters.outer_sent += kResponseSize;
  peer.timers.received(turn.now, peer.params.persistent_keepalive);
  peer.timers.sent(turn.now, peer.params.persistent_keepalive);
  peer.timers.session_made(turn.now);
  arm(peer);
}

}  // namespace tunnel::wireguard
