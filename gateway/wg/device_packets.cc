// What packets meet, and the key requests of the handshakes, which are answered here at once.
#include <charconv>

#include "gateway/core/cutter.h"
#include "gateway/core/mss.h"
#include "gateway/wg/device.h"
#include "gateway/wg/plain_packet.h"
#include "tunnel/wire/inner_packet.h"
#include "tunnel/wireguard/key_operations.h"

namespace gateway::wg {
namespace {

using tunnel::wire::KeyReply;
using tunnel::wire::KeyRequest;
using tunnel::wire::Segmentation;

}  // namespace

void Device::from_outside(std::span<const tunnel::wire::OuterDatagram> batch, Times now, DeviceOutputs& out) {
  if (!running()) {
    drops_.not_running += batch.size();
    return;
  }
  for (const auto& datagram : batch) {
    endpoint_.receive(datagram, now.boot, out.wire);
    if (!out.wire.key_requests.empty()) answer_keys(now, out);  // the next datagram may be of the session it makes
  }
  for (const auto& delivery : out.wire.deliveries) deliver(delivery, out);
  settle(now, out);
}

// WireGuard 2: an inner source must be routed back to the peer it came from, by the longest prefix of all peers.
void Device::deliver(const tunnel::wire::Delivery& delivery, DeviceOutputs& out) {
  const auto facts = tunnel::wire::inner_facts(delivery.bytes);
  if (!facts) {
    ++drops_.malformed;
  } else if (allowed_.find(facts->source) != delivery.peer.number) {
    ++drops_.foreign_source;
  } else if (core::merge_ecn(delivery.bytes, facts->source.is_v4(), delivery.ecn) != core::Refusal::kNone) {
    ++drops_.ecn;
  } else {
    out.tun_writes.push_back(delivery.bytes);
  }
}

void Device::from_tun(std::span<const core::TunPacket> batch, Times now, DeviceOutputs& out) {
  if (!running()) {
    drops_.not_running += batch.size();
    return;
  }
  for (const core::TunPacket& packet : batch) emit(packet, now, out);
  settle(now, out);
}

void Device::emit(const core::TunPacket& packet, Times now, DeviceOutputs& out) {
  const auto destination = destination_of(packet.bytes);
  if (!destination) return static_cast<void>(++drops_.malformed);
  const PeerId peer{allowed_.find(*destination)};
  if (peer.number == AllowedIps::kNobody) return static_cast<void>(++drops_.no_peer);
  if (packet.segmentation.kind == Segmentation::Kind::kNone)
    return endpoint_.send({peer, packet.bytes, {}, packet.room}, now.boot, out.wire);
  const auto view = super_view(packet.bytes);
  segments_.clear();
  if (!view || core::cut(*view, packet.bytes, packet.segmentation, out.wire.arena, segments_) != core::Refusal::kNone)
    return static_cast<void>(++drops_.malformed);
  for (const auto segment : segments_) endpoint_.send({peer, segment, {}, true}, now.boot, out.wire);
}

void Device::on_deadline(Times now, DeviceOutputs& out) {
  endpoint_.set_wall_time(now.wall, now.boot);  // a clock put right after boot: the next initiation uses it
  endpoint_.on_deadline(now.boot, out.wire);
  settle(now, out);
}

// An answer may make the next request of the same handshake.
void Device::answer_keys(Times now, DeviceOutputs& out) {
  while (!out.wire.key_requests.empty()) {
    const auto requests = std::exchange(out.wire.key_requests, {});
    for (const KeyRequest& request : requests) endpoint_.on_key_reply(answer(request), now.boot, out.wire);
  }
}

KeyReply Device::answer(const KeyRequest& request) const {
  if (request.operation == KeyRequest::Operation::kStaticDh)
    return tunnel::wireguard::static_dh(request, private_key_.expose());
  std::uint32_t id = 0;
  (void)std::from_chars(request.key.data(), request.key.data() + request.key.size(), id);
  const auto peer = peers_.find(id);
  if (request.operation == KeyRequest::Operation::kMixPsk && peer != peers_.end())
    return tunnel::wireguard::mix_preshared(request, peer->second.preshared_key.expose());
  KeyReply refused;
  refused.id = request.id;
  return refused;
}

// After each call into the endpoint.
void Device::settle(Times now, DeviceOutputs& out) {
  answer_keys(now, out);
  for (const auto& event : out.wire.events) {
    if (event.kind != tunnel::wire::EventKind::kHandshakeDone) continue;
    if (const auto peer = peers_.find(event.peer.number); peer != peers_.end()) peer->second.last_handshake = now.wall;
  }
  out.wire.events.clear();
  out.wire.deliveries.clear();
  for (std::size_t i = 0; i < drops_.endpoint.count.size(); ++i)
    drops_.endpoint.count[i] += std::exchange(out.wire.drops.count[i], 0);
}

}  // namespace gateway::wg
