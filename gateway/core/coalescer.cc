#include "gateway/core/coalescer.h"

#include <algorithm>

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

using tunnel::wire::Segmentation;

constexpr std::uint8_t kPsh = 0x08;
constexpr std::size_t kLargestPacket = 65'535;
constexpr std::size_t kUdpHeader = 8;
constexpr std::uint16_t kDontFragment = 0x4000;

bool is_v4(ConstBytes packet) {
  return packet[0] >> 4 == 4;
}

// Source, destination and, right behind them in IPv4 and IPv6 without options, the ports.
ConstBytes flow_of(ConstBytes packet) {
  return is_v4(packet) ? packet.subspan(12, 12) : packet.subspan(8, 36);
}

std::size_t hash_of(ConstBytes packet) {
  std::size_t hash = is_v4(packet) ? packet[9] : packet[6];
  for (const std::uint8_t octet : flow_of(packet)) hash = hash * 131 + octet;
  return hash;
}

std::uint32_t transport_sum(ConstBytes packet, std::size_t transport, std::size_t length) {
  const bool v4 = is_v4(packet);
  const ConstBytes addresses = v4 ? packet.subspan(12, 8) : packet.subspan(8, 32);
  const std::size_t half = addresses.size() / 2;
  const std::uint8_t protocol = v4 ? packet[9] : packet[6];
  return pseudo_sum(addresses.first(half), addresses.last(half), protocol,
                    static_cast<std::uint32_t>(length - transport));
}

// A wrong checksum must stay wrong: joined, the kernel would compute a good one.
bool sums_hold(ConstBytes packet, std::size_t transport) {
  const std::uint32_t pseudo = transport_sum(packet, transport, packet.size());
  return finish_sum(ones_sum(packet.subspan(transport), pseudo)) == 0;
}

// The IP headers of two segments that one super-packet can stand for: all but length, identification and checksum.
bool same_ip(ConstBytes first, ConstBytes next, std::size_t number) {
  if (!is_v4(first)) return load32(first, 0) == load32(next, 0) && first[7] == next[7];
  if (first[1] != next[1] || first[8] != next[8] || load16(first, 6) != load16(next, 6)) return false;
  // RFC 6864: of a packet that may be fragmented it must be the one that the kernel counts up to.
  return (load16(first, 6) & kDontFragment) != 0 ||
         load16(next, 4) == static_cast<std::uint16_t>(load16(first, 4) + number);
}

// Acknowledgement, window and options alike; of the flags only PSH may differ.
bool same_tcp(ConstBytes first, ConstBytes next, std::size_t transport, std::size_t headers) {
  const ConstBytes a = first.subspan(transport, headers - transport), b = next.subspan(transport, headers - transport);
  return a[12] == b[12] && load32(a, 8) == load32(b, 8) && load16(a, 14) == load16(b, 14) &&
         std::ranges::equal(a.subspan(18), b.subspan(18));
}

}  // namespace

Coalescer::Segment Coalescer::look(tunnel::wire::Bytes bytes, Joins joins) {
  Segment segment{bytes, 0, 0, false, false};
  const bool v4 = is_v4(bytes);
  segment.transport = v4 ? 20 : 40;
  const std::uint8_t protocol = v4 ? bytes[9] : bytes[6];
  segment.tcp = protocol == kProtocolTcp;
  const bool fragment = v4 && (load16(bytes, 6) & 0x3fff) != 0;  // IPv6: then the protocol is another
  const bool wanted = segment.tcp ? joins.tcp : joins.udp && protocol == kProtocolUdp;
  if (fragment || !wanted) return segment;
  if (bytes.size() < segment.transport + (segment.tcp ? 20 : kUdpHeader)) return segment;
  const std::size_t at = segment.transport;
  segment.headers = at + (segment.tcp ? static_cast<std::size_t>(bytes[at + 12] >> 4) * 4 : kUdpHeader);
  if (segment.headers >= bytes.size()) return segment;
  const bool plain = segment.tcp ? (bytes[at + 13] & ~kPsh) == kTcpAck
                                 : load16(bytes, at + 4) == bytes.size() - at && load16(bytes, at + 6) != 0;
  segment.joins = plain && sums_hold(bytes, at);
  return segment;
}

bool Coalescer::follows(const Group& group, const Segment& segment) {
  const Segment& first = group.first;
  const std::size_t size = first.bytes.size() - first.headers, next = segment.bytes.size() - segment.headers;
  if (segment.headers != first.headers || next > size || group.octets % size != 0 || group.pushed) return false;
  if (group.pieces.size() >= kMostPieces || first.headers + group.octets + next > kLargestPacket) return false;
  if (!same_ip(first.bytes, segment.bytes, group.pieces.size())) return false;
  if (!segment.tcp) return true;
  return load32(segment.bytes, segment.transport + 4) == group.next &&
         same_tcp(first.bytes, segment.bytes, segment.transport, segment.headers);
}

std::vector<std::size_t>::iterator Coalescer::open_group(const Segment& segment, std::size_t flow) {
  return std::ranges::find_if(open_, [&](std::size_t i) {
    const Group& group = groups_[i];
    return group.flow == flow && group.first.tcp == segment.tcp &&
           std::ranges::equal(flow_of(group.first.bytes), flow_of(segment.bytes));
  });
}

void Coalescer::begin_group(const Segment& segment, std::size_t flow) {
  if (used_ == groups_.size()) groups_.emplace_back().pieces.reserve(kMostPieces);
  Group& group = groups_[used_++];
  group.first = segment, group.flow = flow;
  group.octets = segment.bytes.size() - std::min(segment.headers, segment.bytes.size());
  group.pushed = false;
  group.pieces.assign(1, segment.bytes);
  if (!segment.joins) return;
  if (segment.tcp) {
    group.next = load32(segment.bytes, segment.transport + 4) + static_cast<std::uint32_t>(group.octets);
    group.pushed = (segment.bytes[segment.transport + 13] & kPsh) != 0;
  }
  if (open_.size() == kOpenFlows) open_.erase(open_.begin());
  open_.push_back(used_ - 1);
}

void Coalescer::place(const Segment& segment) {
  if (segment.bytes.size() < segment.transport + 4) return begin_group(segment, 0);  // no ports: no flow of ours
  const std::size_t flow = hash_of(segment.bytes);
  const auto found = open_group(segment, flow);
  const bool known = found != open_.end();
  if (!known || !segment.joins || !follows(groups_[*found], segment)) {
    if (known) open_.erase(found);  // what comes later of this flow comes behind this one
    return begin_group(segment, flow);
  }
  Group& group = groups_[*found];
  const tunnel::wire::ConstBytes payload = segment.bytes.subspan(segment.headers);
  group.pieces.push_back(payload);
  group.octets += payload.size(), group.next += static_cast<std::uint32_t>(payload.size());
  if (segment.tcp) group.pushed = (segment.bytes[segment.transport + 13] & kPsh) != 0;
}

// The first packet's header for all of them; the kernel makes the checksums (virtio: the field holds the pseudo
// header's sum).
void Coalescer::finish(Group& group, TunWrite& write) {
  write.pieces = group.pieces;
  if (group.pieces.size() == 1) return;
  const Segment& first = group.first;
  const tunnel::wire::Bytes bytes = first.bytes;
  const bool v4 = is_v4(bytes);
  const std::size_t total = first.headers + group.octets, at = first.transport;
  const std::size_t field = first.tcp ? 16 : 6;
  write.segmentation = {!first.tcp ? Segmentation::Kind::kUdp
                        : v4       ? Segmentation::Kind::kTcpV4
                                   : Segmentation::Kind::kTcpV6,
                        static_cast<std::uint16_t>(first.headers),
                        static_cast<std::uint16_t>(bytes.size() - first.headers),
                        static_cast<std::uint16_t>(at),
                        static_cast<std::uint16_t>(field),
                        true};
  if (v4) {
    store16(bytes, 2, static_cast<std::uint16_t>(total));
    store16(bytes, 10, 0);
    store16(bytes, 10, finish_sum(ones_sum(bytes.first(20))));
  } else {
    store16(bytes, 4, static_cast<std::uint16_t>(total - at));
  }
  if (first.tcp && group.pushed) bytes[at + 13] |= kPsh;
  if (!first.tcp) store16(bytes, at + 4, static_cast<std::uint16_t>(total - at));
  store16(bytes, at + field, static_cast<std::uint16_t>(~finish_sum(transport_sum(bytes, at, total))));
}

std::span<const TunWrite> Coalescer::join(std::span<const tunnel::wire::Bytes> packets, Joins joins) {
  used_ = 0;
  open_.clear();
  for (const tunnel::wire::Bytes bytes : packets) place(look(bytes, joins));
  writes_.clear();
  for (std::size_t i = 0; i < used_; ++i) finish(groups_[i], writes_.emplace_back());
  return writes_;
}

}  // namespace gateway::core
