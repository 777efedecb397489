// Each length check stands alone beside what it protects. Nothing here loops over input.
#include "gateway/core/inner_packet.h"

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

constexpr std::size_t kV4Header = 20;
constexpr std::size_t kV6Header = 40;
constexpr std::size_t kFragmentHeader = 8;
constexpr std::uint8_t kNextFragment = 44;

IpAddress v4_at(ConstBytes b, std::size_t at) {
  return IpAddress::v4({b[at], b[at + 1], b[at + 2], b[at + 3]});
}

IpAddress v6_at(ConstBytes b, std::size_t at) {
  std::array<std::uint8_t, 16> octets;
  std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(at), 16, octets.begin());
  return IpAddress::v6(octets);
}

// Only addresses of one host that another host may own: RFC 6890 this-network, loopback, link-local, class D and E
// with the limited broadcast; for IPv6 also the v4-mapped and v4-compatible forms (RFC 4942 2.2).
bool is_unicast_host(const IpAddress& address) {
  const auto o = address.octets();
  if (address.is_v4()) return o[0] != 0 && o[0] != 127 && o[0] < 224 && !(o[0] == 169 && o[1] == 254);
  if (o[0] == 0xff || (o[0] == 0xfe && (o[1] & 0xc0) == 0x80)) return false;
  for (std::size_t i = 0; i < 10; ++i)
    if (o[i] != 0) return true;
  return false;  // ::/80 holds unspecified, loopback, v4-mapped and v4-compatible
}

bool is_extension(std::uint8_t next) {
  switch (next) {
    case 0:    // hop-by-hop
    case 43:   // routing
    case 44:   // a second fragment header
    case 51:   // AH
    case 60:   // destination options
    case 135:  // mobility
    case 139:  // HIP
    case 140:  // shim6
    case 253:
    case 254:
      return true;
    default:
      return false;
  }
}

IcmpKind icmp_v4_kind(std::uint8_t type, bool& known) {
  known = true;
  switch (type) {
    case 8:
      return IcmpKind::kEchoRequest;
    case 0:
      return IcmpKind::kEchoReply;
    case 3:   // destination unreachable
    case 11:  // time exceeded
    case 12:  // parameter problem
      return IcmpKind::kError;
    default:  // redirect, source quench, timestamps, router discovery: never through a tunnel
      known = false;
      return IcmpKind::kNotIcmp;
  }
}

IcmpKind icmp_v6_kind(std::uint8_t type, bool& known) {
  known = true;
  if (type == 128) return IcmpKind::kEchoRequest;
  if (type == 129) return IcmpKind::kEchoReply;
  if (type >= 1 && type <= 4) return IcmpKind::kError;
  known = false;  // neighbour discovery, redirect, MLD
  return IcmpKind::kNotIcmp;
}

// The first octets of the transport header into `flow`. `transport` may be longer or, when quoted, cut at 8 octets.
Refusal read_transport(ConstBytes transport, bool v4, FlowView& flow) {
  const std::uint8_t icmp = v4 ? kProtocolIcmp : kProtocolIcmpV6;
  if (flow.protocol != kProtocolTcp && flow.protocol != kProtocolUdp && flow.protocol != icmp) return Refusal::kNone;
  if (transport.size() < 8) return Refusal::kTransportHeader;
  if (flow.protocol == icmp) {
    bool known = false;
    flow.icmp = v4 ? icmp_v4_kind(transport[0], known) : icmp_v6_kind(transport[0], known);
    return known ? Refusal::kNone : Refusal::kIcmpKind;
  }
  flow.source_port = load16(transport, 0);
  flow.destination_port = load16(transport, 2);
  return Refusal::kNone;
}

// Header lengths of a packet that is not quoted. RFC 1858 3: the first fragment holds the whole TCP header.
Refusal check_transport(ConstBytes transport, InnerPacketView& view) {
  FlowView& flow = view.flow;
  const bool first = view.fragment == Fragment::kFirst;
  if (flow.protocol == kProtocolTcp) {
    if (transport.size() < 20) return first ? Refusal::kTinyFragment : Refusal::kTransportHeader;
    const std::size_t header = static_cast<std::size_t>(transport[12] >> 4) * 4;
    if (header < 20 || header > transport.size()) return first ? Refusal::kTinyFragment : Refusal::kTransportHeader;
    flow.tcp_flags = transport[13];
  }
  if (flow.protocol == kProtocolUdp && !first) {
    const std::uint16_t length = load16(transport, 4);
    if (length < 8 || length > transport.size()) return Refusal::kTransportHeader;
  }
  return Refusal::kNone;
}

// The packet quoted in an ICMP error: whole IP header and at least 8 octets (RFC 792, RFC 4443 2.4), not a later
// fragment, same family, and never an error about an error (RFC 1122 3.2.2).
Refusal read_quoted(ConstBytes bytes, InnerPacketView& view) {
  const std::size_t at = view.transport_offset + std::size_t{8};
  const ConstBytes quoted = bytes.subspan(at);
  const bool v4 = view.is_v4();
  const std::size_t header = v4 ? kV4Header : kV6Header;
  if (quoted.size() < header + 8) return Refusal::kEmbedded;
  if (quoted[0] >> 4 != (v4 ? 4 : 6)) return Refusal::kEmbedded;
  if (v4 && ((quoted[0] & 15) != 5 || (load16(quoted, 6) & 0x1fff) != 0)) return Refusal::kEmbedded;
  FlowView flow;
  flow.source = v4 ? v4_at(quoted, 12) : v6_at(quoted, 8);
  flow.destination = v4 ? v4_at(quoted, 16) : v6_at(quoted, 24);
  flow.protocol = v4 ? quoted[9] : quoted[6];
  if (!is_unicast_host(flow.source) || !is_unicast_host(flow.destination)) return Refusal::kEmbedded;
  if (read_transport(quoted.subspan(header), v4, flow) != Refusal::kNone) return Refusal::kEmbedded;
  if (flow.icmp == IcmpKind::kError) return Refusal::kEmbedded;
  view.quoted = flow;
  view.quoted_offset = static_cast<std::uint16_t>(at);
  view.quoted_transport = static_cast<std::uint16_t>(at + header);
  return Refusal::kNone;
}

// Form of a fragment: multiples of 8 but for the last, end within 65535 (ping of death), none too small to be honest,
// none that could overwrite the transport header (RFC 3128).
Refusal check_fragment(const InnerPacketView& view) {
  const std::size_t payload = view.total_length - std::size_t{view.transport_offset};
  if (payload == 0 || view.fragment_end() > 65535) return Refusal::kFragmentForm;
  if (view.more_fragments && payload % 8 != 0) return Refusal::kFragmentForm;
  if (view.more_fragments && payload < kLeastFragment) return Refusal::kTinyFragment;
  if (view.fragment == Fragment::kLater && view.fragment_offset < kLeastFragment) return Refusal::kTinyFragment;
  return Refusal::kNone;
}

Refusal read_v4(ConstBytes bytes, InnerPacketView& view) {
  if (bytes.size() < kV4Header) return Refusal::kTruncated;
  const std::size_t header = static_cast<std::size_t>(bytes[0] & 15) * 4;
  if (header < kV4Header) return Refusal::kHeaderLength;
  // RFC 7126: LSRR, SSRR, record route and the rest. All are refused, so the header is always 20 octets.
  if (header > kV4Header) return Refusal::kOptions;
  view.total_length = load16(bytes, 2);
  if (view.total_length < header || view.total_length > bytes.size()) return Refusal::kTotalLength;
  if (finish_sum(ones_sum(bytes.first(header))) != 0) return Refusal::kHeaderChecksum;
  if (bytes[8] == 0) return Refusal::kHopLimit;
  const std::uint16_t fragment = load16(bytes, 6);
  if ((fragment & 0x8000) != 0) return Refusal::kFragmentForm;  // the reserved bit (RFC 3514)
  view.dont_fragment = (fragment & 0x4000) != 0;
  view.more_fragments = (fragment & 0x2000) != 0;
  view.fragment_offset = std::uint32_t{fragment & 0x1fffu} * 8;
  view.fragment_id = load16(bytes, 4);
  if (view.fragment_offset != 0)
    view.fragment = Fragment::kLater;
  else if (view.more_fragments)
    view.fragment = Fragment::kFirst;
  view.transport_offset = static_cast<std::uint16_t>(header);
  view.flow.protocol = bytes[9];
  view.flow.source = v4_at(bytes, 12);
  view.flow.destination = v4_at(bytes, 16);
  return Refusal::kNone;
}

Refusal read_v6_fragment(ConstBytes bytes, InnerPacketView& view) {
  if (view.total_length < kV6Header + kFragmentHeader) return Refusal::kFragmentForm;
  const std::uint16_t word = load16(bytes, kV6Header + 2);
  view.flow.protocol = bytes[kV6Header];
  view.fragment_offset = word & 0xfff8u;
  view.more_fragments = (word & 1) != 0;
  view.fragment_id = load32(bytes, kV6Header + 4);
  view.transport_offset = kV6Header + kFragmentHeader;
  // RFC 8021: atomic fragments serve only attacks.
  if (view.fragment_offset == 0 && !view.more_fragments) return Refusal::kFragmentForm;
  view.fragment = view.fragment_offset == 0 ? Fragment::kFirst : Fragment::kLater;
  return Refusal::kNone;
}

Refusal read_v6(ConstBytes bytes, InnerPacketView& view) {
  if (bytes.size() < kV6Header) return Refusal::kTruncated;
  const std::size_t total = kV6Header + load16(bytes, 4);
  if (total == kV6Header || total > bytes.size() || total > 65535) return Refusal::kTotalLength;
  if (bytes[7] == 0) return Refusal::kHopLimit;
  view.total_length = static_cast<std::uint16_t>(total);
  view.transport_offset = kV6Header;
  view.dont_fragment = true;
  view.flow.protocol = bytes[6];
  view.flow.source = v6_at(bytes, 8);
  view.flow.destination = v6_at(bytes, 24);
  if (bytes[6] == kNextFragment)
    if (const Refusal refusal = read_v6_fragment(bytes, view); refusal != Refusal::kNone) return refusal;
  // RFC 5095: routing header type 0, and with it every header that is not a transport.
  return is_extension(view.flow.protocol) ? Refusal::kOptions : Refusal::kNone;
}

Refusal read_rest(ConstBytes bytes, InnerPacketView& view) {
  if (!is_unicast_host(view.flow.source) || !is_unicast_host(view.flow.destination)) return Refusal::kAddress;
  if (view.flow.source == view.flow.destination) return Refusal::kAddress;  // "land"
  if (view.fragment != Fragment::kWhole)
    if (const Refusal refusal = check_fragment(view); refusal != Refusal::kNone) return refusal;
  if (view.fragment == Fragment::kLater) return Refusal::kNone;
  const ConstBytes transport = bytes.subspan(view.transport_offset);
  if (const Refusal refusal = read_transport(transport, view.is_v4(), view.flow); refusal != Refusal::kNone)
    return refusal;
  if (const Refusal refusal = check_transport(transport, view); refusal != Refusal::kNone) return refusal;
  if (view.flow.icmp != IcmpKind::kError) return Refusal::kNone;
  return view.fragment == Fragment::kWhole ? read_quoted(bytes, view) : Refusal::kEmbedded;
}

}  // namespace

Result<InnerPacketView, Refusal> parse_inner(ConstBytes bytes) {
  if (bytes.empty()) return std::unexpected(Refusal::kTruncated);
  const int version = bytes[0] >> 4;
  if (version != 4 && version != 6) return std::unexpected(Refusal::kVersion);
  InnerPacketView view;
  Refusal refusal = version == 4 ? read_v4(bytes, view) : read_v6(bytes, view);
  if (refusal == Refusal::kNone) refusal = read_rest(bytes.first(view.total_length), view);
  if (refusal != Refusal::kNone) return std::unexpected(refusal);
  return view;
}

}  // namespace gateway::core
