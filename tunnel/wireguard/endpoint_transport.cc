// Data both ways: WireGuard 5.4.6 and the timers that packets set (6.2, 6.5). Nothing here allocates once a session is
// up.
#include "tunnel/wire/inner_packet.h"
#include "tunnel/wireguard/endpoint_state.h"

namespace tunnel::wireguard {
namespace {

constexpr std::size_t kPadTo = 16;
constexpr std::size_t kLargestInner = 65'535 - 8 - 40 - kTransportMinimum;  // UDP length less UDP and IPv6 headers

std::size_t padded(std::size_t length, std::size_t mtu) {
  const std::size_t aligned = (length + kPadTo - 1) / kPadTo * kPadTo;
  return std::min(aligned, std::max(length, mtu));
}

}  // namespace

// In the order of the reference: open -> counter -> outer address -> inner source.
void Endpoint::State::receive_transport(const wire::OuterDatagram& datagram, Turn turn) {
  const TransportHeader header = parse_transport(datagram.bytes);
  const Directory::Receiver receiver = directory.receiver(header.receiver);
  if (receiver.session == nullptr) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  Peer& peer = *receiver.peer;
  Session& session = *receiver.session;
  if (!peer.outer_source_allowed(datagram.path.remote.address)) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  if (!session.usable(turn.now)) return turn.out.drops.add(wire::Drop::kNoSession);
  if (header.counter >= kRejectAfterMessages) return turn.out.drops.add(wire::Drop::kKeyExhausted);
  const wire::Bytes sealed = datagram.bytes.subspan(kTransportHeader);
  if (!aead.open(session.receiving.expose(), header.counter, {}, sealed))
    return turn.out.drops.add(wire::Drop::kForged);
  if (!session.window.accept(header.counter)) return turn.out.drops.add(wire::Drop::kReplay);
  peer.counters.outer_received += datagram.bytes.size();
  peer.counters.last_heard = turn.now;
  authenticated(peer, session, datagram.path, turn);
  const wire::Bytes plain = sealed.first(sealed.size() - crypto::kTagSize);
  if (!plain.empty()) deliver(peer, plain, datagram, turn);
  arm(peer);
}

void Endpoint::State::authenticated(Peer& peer, Session& session, const wire::OuterPath& path, Turn turn) {
  move_path(peer, path, turn);
  peer.timers.received(turn.now, peer.params.persistent_keepalive);
  if (&session == peer.next.get()) {  // the initiator uses it: from now on so do we
    retire(peer, std::move(peer.current));
    peer.current = std::move(peer.next);
    directory.drop_initiation(peer);
    session_confirmed(peer, turn);
    if (!peer.staged.empty()) send_staged_or_keepalive(peer, turn);
  }
  // WireGuard 6.2: an initiator that only receives asks for a new session before this one ends.
  const bool late = session.initiator && session.age(turn.now) >= kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
  if (late && &session == peer.current.get() && !std::exchange(peer.timers.asked_late_rekey, true)) {
    start_handshake(peer, Attempt::kFresh, turn);
  }
}

void Endpoint::State::deliver(Peer& peer, wire::Bytes plain, const wire::OuterDatagram& datagram, Turn turn) {
  peer.timers.data_received(turn.now);
  const auto facts = wire::inner_facts(plain);
  if (!facts) return turn.out.drops.add(wire::Drop::kInnerMalformed);
  bool own_source = peer.allowed.contains(facts->source);
#ifdef SEKISHO_FAULTS
  own_source = own_source || faults.open_selectors;
#endif
  if (!own_source) {  // promise P2
    if (first_in_a_second(peer.source_refused_told, turn.now)) {
      tell(wire::EventKind::kSourceRefused, peer, facts->source.to_string(), turn);
    }
    return turn.out.drops.add(wire::Drop::kInnerSource);
  }
  ++peer.counters.received_packets;
  peer.counters.received_bytes += facts->length;
  turn.out.deliveries.push_back({peer.params.id, plain.first(facts->length), datagram.ecn});
}

void Endpoint::State::send(Peer& peer, const wire::InnerPacket& packet, Turn turn) {
  const bool whole = packet.segmentation.kind == wire::Segmentation::Kind::kNone && !packet.segmentation.needs_checksum;
  if (!whole || packet.bytes.empty() || packet.bytes.size() > kLargestInner) {
    return turn.out.drops.add(wire::Drop::kInnerMalformed);
  }
  if (!peer.path) return turn.out.drops.add(wire::Drop::kNoSession);
  Session* const session = peer.sendable(turn.now);
  if (session == nullptr) {
    stage(peer, packet.bytes, turn);
    return start_handshake(peer, Attempt::kFresh, turn);
  }
  seal(peer, *session, packet, turn);
  arm(peer);
}

void Endpoint::State::stage(Peer& peer, wire::ConstBytes packet, Turn turn) {
  if (peer.staged.size() >= kStagedPackets) {  // the oldest goes: what is newest is most likely still wanted
    peer.staged.pop_front();
    turn.out.drops.add(wire::Drop::kQueueFull);
  }
  peer.staged.emplace_back(packet.begin(), packet.end());
}

void Endpoint::State::send_staged_or_keepalive(Peer& peer, Turn turn) {
  Session* const session = peer.sendable(turn.now);
  if (session == nullptr) return;
  if (peer.staged.empty()) seal(peer, *session, {}, turn);
  for (; !peer.staged.empty(); peer.staged.pop_front())
    seal(peer, *session, {peer.params.id, peer.staged.front()}, turn);
}

void Endpoint::State::seal(Peer& peer, Session& session, const wire::InnerPacket& inner, Turn turn) {
  const wire::ConstBytes packet = inner.bytes;
  if (!peer.path) return turn.out.drops.add(wire::Drop::kNoSession);
  if (!session.may_send(turn.now)) return turn.out.drops.add(wire::Drop::kKeyExhausted);
  const std::size_t size = padded(packet.size(), peer.params.mtu);
  const std::uint64_t counter = session.next_counter++;
  const std::uint8_t ecn = wire::inner_ecn(packet);  // RFC 6040 4.1: normal mode copies
  wire::Writer writer(
      wire::place_to_seal(inner, kTransportHeader, kTransportHeader + size + crypto::kTagSize, turn.out.arena));
  write(writer, TransportHeader{session.remote_index, counter});
  writer.octets(packet);
  writer.zeros(size - packet.size());
  (void)writer.reserve(crypto::kTagSize);
  aead.seal(session.sending.expose(), counter, {}, writer.written().subspan(kTransportHeader));
  transmit(*peer.path, writer.written(), ecn, turn);
  peer.counters.outer_sent += writer.written().size();
  peer.timers.sent(turn.now, peer.params.persistent_keepalive);
  keep_fresh(peer, session, turn);
  if (packet.empty()) return;
  if (peer.timers.new_handshake == kNever) peer.timers.data_sent(turn.now, jitter());
  ++peer.counters.sent_packets;
  peer.counters.sent_bytes += packet.size();
}

// WireGuard 6.2: only the initiator renews by age, so that both sides do not begin at once; either renews by count.
// After every packet it sends, a keepalive included: who only receives data answers with keepalives, and renews by
// them.
void Endpoint::State::keep_fresh(Peer& peer, const Session& session, Turn turn) {
  const bool aged = session.initiator && session.age(turn.now) >= kRekeyAfterTime;
  if (session.worn() || aged) start_handshake(peer, Attempt::kFresh, turn);
}

}  // namespace tunnel::wireguard
