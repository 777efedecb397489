#include "gateway/core/cutter.h"

#include <algorithm>

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

using tunnel::wire::kRoomAfter;
using tunnel::wire::kRoomBefore;
using tunnel::wire::Segmentation;

constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;
constexpr std::size_t kUdpHeader = 8;

// Octets of IP and transport header; 0: the packet is not what the virtio header says it is.
std::size_t headers_of(const InnerPacketView& view, ConstBytes bytes, const Segmentation& segmentation) {
  const bool tcp = segmentation.kind == (view.is_v4() ? Segmentation::Kind::kTcpV4 : Segmentation::Kind::kTcpV6);
  const bool udp = segmentation.kind == Segmentation::Kind::kUdp;
  if (view.fragment != Fragment::kWhole || segmentation.segment_size == 0) return 0;
  if (tcp && view.flow.protocol == kProtocolTcp)
    return view.transport_offset + static_cast<std::size_t>(bytes[view.transport_offset + 12u] >> 4) * 4;
  return udp && view.flow.protocol == kProtocolUdp ? view.transport_offset + kUdpHeader : 0;
}

void finish_ip(Bytes packet, bool v4, std::size_t number) {
  if (!v4) return store16(packet, 4, static_cast<std::uint16_t>(packet.size() - 40));
  store16(packet, 2, static_cast<std::uint16_t>(packet.size()));
  store16(packet, 4, static_cast<std::uint16_t>(load16(packet, 4) + number));  // RFC 6864: the kernel counts on too
  store16(packet, 10, 0);
  store16(packet, 10, finish_sum(ones_sum(packet.first(20))));
}

void finish_checksum(Bytes packet, const InnerPacketView& view, std::size_t field) {
  const Bytes transport = packet.subspan(view.transport_offset);
  store16(transport, field, 0);
  const ConstBytes addresses = view.is_v4() ? packet.subspan(12, 8) : packet.subspan(8, 32);
  const std::size_t half = addresses.size() / 2;
  const std::uint32_t pseudo = pseudo_sum(addresses.first(half), addresses.last(half), view.flow.protocol,
                                          static_cast<std::uint32_t>(transport.size()));
  const std::uint16_t sum = finish_sum(ones_sum(transport, pseudo));
  store16(transport, field, sum == 0 && view.flow.protocol == kProtocolUdp ? std::uint16_t{0xffff} : sum);
}

void finish_tcp(Bytes packet, const InnerPacketView& view, std::size_t done, bool first, bool last) {
  const Bytes tcp = packet.subspan(view.transport_offset);
  store32(tcp, 4, load32(tcp, 4) + static_cast<std::uint32_t>(done));
  if (!first) tcp[13] &= static_cast<std::uint8_t>(~kCwr);  // RFC 3168 6.1.2: told once
  if (!last) tcp[13] &= static_cast<std::uint8_t>(~(kFin | kPsh));
  finish_checksum(packet, view, 16);
}

void finish_udp(Bytes packet, const InnerPacketView& view) {
  const Bytes udp = packet.subspan(view.transport_offset);
  store16(udp, 4, static_cast<std::uint16_t>(udp.size()));
  finish_checksum(packet, view, 6);
}

}  // namespace

std::size_t largest_segment(const InnerPacketView& view, ConstBytes bytes, const Segmentation& segmentation) {
  const std::size_t headers = headers_of(view, bytes, segmentation);
  return headers == 0 ? view.total_length
                      : std::min<std::size_t>(view.total_length, headers + segmentation.segment_size);
}

Refusal cut(const InnerPacketView& view, ConstBytes bytes, const Segmentation& segmentation, tunnel::wire::Arena& arena,
            std::vector<Bytes>& out) {
  bytes = bytes.first(view.total_length);
  const std::size_t headers = headers_of(view, bytes, segmentation);
  if (headers == 0 || headers > bytes.size()) return Refusal::kSuperPacket;
  const ConstBytes payload = bytes.subspan(headers);
  const std::size_t size = segmentation.segment_size;
  const std::size_t count = std::max<std::size_t>(1, (payload.size() + size - 1) / size);
  if (count > kMostSegments) return Refusal::kSuperPacket;
  for (std::size_t number = 0; number < count; ++number) {
    const ConstBytes piece = payload.subspan(number * size, std::min(size, payload.size() - number * size));
    const Bytes packet =
        arena.take(kRoomBefore + headers + piece.size() + kRoomAfter).subspan(kRoomBefore, headers + piece.size());
    std::copy(piece.begin(), piece.end(), std::copy_n(bytes.begin(), headers, packet.begin()));
    finish_ip(packet, view.is_v4(), number);
    if (view.flow.protocol == kProtocolTcp)
      finish_tcp(packet, view, number * size, number == 0, number + 1 == count);
    else
      finish_udp(packet, view);
    out.push_back(packet);
  }
  return Refusal::kNone;
}

}  // namespace gateway::core
