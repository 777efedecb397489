// The data path: SPI -> CHILD SA -> open -> selectors -> Delivery, and back. Here nothing is done for each packet that
// a deadline could do later.
#include "tunnel/esp/udp_framing.h"
#include "tunnel/ike/endpoint_state.h"

namespace tunnel::ike {
namespace {

bool holds(const std::vector<Selector>& selectors, const wire::IpAddress& address, std::uint8_t protocol,
           const std::optional<std::uint16_t>& port) {
  for (const Selector& selector : selectors)
    if (selector.contains(address, protocol, port)) return true;
  return false;
}

constexpr std::size_t kLargestInner = 65535;
constexpr std::uint64_t kLastNumbers = 1 << 26;  // sequence numbers left: a minute at a million packets a second

}  // namespace

void Endpoint::State::receive_esp(const wire::OuterDatagram& datagram, const Door& in, Turn turn) {
  const auto spi = esp::spi_of(datagram.bytes);
  const auto owner = spi ? child_spis.find(*spi) : child_spis.end();
  const auto found = owner == child_spis.end() ? sas.end() : sas.find(owner->second);
  ChildSa* const child = found == sas.end() ? nullptr : found->second->child_in(*spi);
  if (child == nullptr || child->barred) return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  IkeSa& sa = *found->second;
  Peer* const peer = peer_of(sa);
  if (peer == nullptr || !peer->source_allowed(datagram.path.remote.address) || !esp_may_come(sa, in))
    return turn.out.drops.add(wire::Drop::kUnknownReceiver);
  const auto opened = child->inbound->open(datagram.bytes);
  if (!opened) return turn.out.drops.add(opened.error());
  sa.heard = turn.now;
  peer->counters.last_heard = turn.now;
  peer->counters.outer_received += datagram.bytes.size();
  // RFC 7296 2.23: a peer behind a NAT is where its last authenticated packet came from. Who is behind one itself does
  // not follow: whoever repeats a packet from elsewhere before it arrives would lead us there.
  if (sa.nat.peer_behind && !sa.nat.we_behind && !sa.mobike && sa.encapsulated && in.encapsulates() &&
      sa.path.remote != datagram.path.remote)
    sa.path = datagram.path;
  if (!std::exchange(child->sends, true)) touched.push_back(sa.local());  // RFC 7296 2.8: the peer has our answer
  if (child->inbound->use().bytes >= peer->params.lifetimes.child_bytes) wear_out(sa, *child, turn);
  if (opened->empty()) return;  // a dummy
  const auto inner = view_of(*opened);
  if (!inner) return turn.out.drops.add(wire::Drop::kInnerMalformed);
  // RFC 4301 5.2: what comes out must be what was agreed to go in.
  bool agreed = holds(child->peer, inner->source, inner->protocol, inner->source_port) &&
                holds(child->ours, inner->destination, inner->protocol, inner->destination_port);
#ifdef SEKISHO_FAULTS
  agreed |= faults.open_selectors;
#endif
  if (!agreed) {
    turn.out.drops.add(wire::Drop::kInnerSource);
    if (first_in_a_second(peer->source_told, turn.now)) tell(wire::EventKind::kSourceRefused, *peer, {}, turn);
    return;
  }
  ++peer->counters.received_packets;
  peer->counters.received_bytes += opened->size();
  turn.out.deliveries.push_back({sa.peer, *opened, datagram.ecn});
}

std::pair<IkeSa*, ChildSa*> Endpoint::State::newest_for(const Peer& peer, const InnerView& inner) {
  std::pair<IkeSa*, ChildSa*> newest{};
  for (const Spi spi : peer.sas) {
    IkeSa& sa = *sas.at(spi);
    if (!sa.established()) continue;  // nothing is sent on one that our Delete is out for
    for (ChildSa& child : sa.children) {
      if (!child.may_send() || (newest.second != nullptr && child.order < newest.second->order)) continue;
      if (holds(child.ours, inner.source, inner.protocol, inner.source_port) &&
          holds(child.peer, inner.destination, inner.protocol, inner.destination_port))
        newest = {&sa, &child};
    }
  }
  return newest;
}

void Endpoint::State::send(const wire::InnerPacket& packet, Turn turn) {
  const auto known = peers.find(packet.peer.number);
  if (known == peers.end()) return turn.out.drops.add(wire::Drop::kUnknownDestination);
  const bool whole = packet.segmentation.kind == wire::Segmentation::Kind::kNone && !packet.segmentation.needs_checksum;
  if (!whole || packet.bytes.size() > kLargestInner) return turn.out.drops.add(wire::Drop::kInnerMalformed);
  send_inner(*known->second, packet, turn);
}

void Endpoint::State::send_inner(Peer& peer, const wire::InnerPacket& packet, Turn turn) {
  const auto inner = view_of(packet.bytes);
  if (!inner) return turn.out.drops.add(wire::Drop::kInnerMalformed);
  const auto [sa, child] = newest_for(peer, *inner);
  if (child != nullptr) return seal(peer, *sa, *child, *inner, packet, turn);
  if (peer.counters.up) {  // nothing agreed holds it
    call_rest(peer, turn);
    return turn.out.drops.add(wire::Drop::kNoSession);
  }
  call_child(peer, turn);
  if (!child_is_coming(peer, turn.now)) return turn.out.drops.add(wire::Drop::kNoSession);
  stage(peer, packet.bytes, turn);
}

// RFC 4301 4.4.2.1: it has carried what it may, one way or the other. Once: RFC 7296 2.25 forbids to ask at once again
// when its rekeying is refused.
void Endpoint::State::wear_out(IkeSa& sa, ChildSa& child, Turn turn) {
  if (child.used_up || child.phase != ChildSa::Phase::kUsed) return;
  child.used_up = true;
  child.rekey = std::min(child.rekey, turn.now);
  touched.push_back(sa.local());
}

void Endpoint::State::seal(Peer& peer, IkeSa& sa, ChildSa& child, const InnerView& inner,
                           const wire::InnerPacket& packet, Turn turn) {
  const crypto::CipherSuite& cipher = child.suite.cipher;
  const std::size_t size = esp::sealed_size(cipher, packet.bytes.size());
  const wire::Bytes sealed = wire::place_to_seal(packet, esp::text_offset(cipher), size, turn.out.arena);
  if (child.outbound->seal(packet.bytes, sealed, rng) != esp::OutboundSa::Outcome::kSealed)
    return turn.out.drops.add(wire::Drop::kKeyExhausted);
  if (child.outbound->left() < kLastNumbers || child.outbound->use().bytes >= peer.params.lifetimes.child_bytes)
    wear_out(sa, child, turn);
  ++peer.counters.sent_packets;
  peer.counters.sent_bytes += packet.bytes.size();
  peer.counters.outer_sent += sealed.size();
  if (sa.keepalive != kNever) sa.sent = turn.now;
  turn.out.transmits.push_back({esp_way(sa, peer), sealed, inner.ecn});
}

}  // namespace tunnel::ike
