// Option walk bounded by the TCP header; every step consumes at least one octet.
#include "gateway/core/mss.h"

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

constexpr std::uint8_t kEnd = 0, kNop = 1, kMss = 2;

// Offset of the MSS value in `tcp`, or 0.
std::size_t find_mss(ConstBytes tcp) {
  const std::size_t header = static_cast<std::size_t>(tcp[12] >> 4) * 4;
  for (std::size_t at = 20; at + 1 < header && tcp[at] != kEnd;) {
    if (tcp[at] == kNop) {
      ++at;
      continue;
    }
    const std::size_t length = tcp[at + 1];
    if (length < 2 || at + length > header) return 0;
    if (tcp[at] == kMss) return length == 4 ? at + 2 : 0;
    at += length;
  }
  return 0;
}

std::uint16_t swapped(std::uint16_t value) {
  return static_cast<std::uint16_t>((value << 8) | (value >> 8));
}

}  // namespace

void clamp_mss(Bytes bytes, const InnerPacketView& view, std::uint16_t mtu) {
  if (view.flow.protocol != kProtocolTcp || (view.flow.tcp_flags & kTcpSyn) == 0) return;
  if (view.fragment == Fragment::kLater) return;
  const Bytes tcp = bytes.first(view.total_length).subspan(view.transport_offset);
  const std::size_t at = find_mss(tcp);
  if (at == 0) return;
  const auto most = static_cast<std::uint16_t>(mtu - (view.is_v4() ? 40 : 60));
  const std::uint16_t before = load16(tcp, at);
  if (before <= most) return;
  store16(tcp, at, most);
  const std::uint16_t sum = load16(tcp, 16);
  // At an odd offset the value straddles two words of the sum: the same as its octets swapped (RFC 1071 2 B).
  store16(tcp, 16, at % 2 == 0 ? adjusted(sum, before, most) : adjusted(sum, swapped(before), swapped(most)));
}

Refusal merge_ecn(Bytes bytes, bool v4, std::uint8_t outer) {
  constexpr std::uint8_t kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3;
  const std::uint16_t before = load16(bytes, 0);
  const unsigned shift = v4 ? 0 : 4;  // RFC 2474: the traffic class of IPv6 begins four bits into the header
  const auto inner = static_cast<std::uint8_t>(before >> shift & 3);
  std::uint8_t merged = inner;
  // RFC 6040 4.2, figure 4.
  if (outer == kCe && inner == kNotEct) return Refusal::kEcn;
  if (outer == kCe) merged = kCe;
  if (outer == kEct1 && inner == kEct0) merged = kEct1;
  if (merged == inner) return Refusal::kNone;
  const auto after = static_cast<std::uint16_t>((before & ~(3u << shift)) | (static_cast<unsigned>(merged) << shift));
  store16(bytes, 0, after);
  if (v4) store16(bytes, 10, adjusted(load16(bytes, 10), before, after));
  return Refusal::kNone;
}

}  // namespace gateway::core
