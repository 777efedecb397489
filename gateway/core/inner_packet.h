// One bounded look at an inner IP packet (RFC 791, RFC 8200): what guard, translation and clamp need, and refusal of
// everything irregular. No IPv4 option and no IPv6 extension header but Fragment passes: they steer packets (source
// routes, routing headers, home addresses) or hide ports.
#pragma once

#include <cstdint>
#include <optional>

#include "config/value/address.h"
#include "config/value/result.h"
#include "gateway/core/refusal.h"
#include "tunnel/wire/packet.h"

namespace gateway::core {

using config::value::IpAddress;
using config::value::Result;

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpV6 = 58;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpAck = 0x10;
// Payload octets of any fragment but the last. Real paths carry 576 and more; smaller ones exist to hide ports.
inline constexpr std::size_t kLeastFragment = 256;

enum class Fragment : std::uint8_t { kWhole, kFirst, kLater };
enum class IcmpKind : std::uint8_t { kNotIcmp, kEchoRequest, kEchoReply, kError };

// Addresses and the start of the transport header, of a packet or of the one quoted in an ICMP error.
struct FlowView {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;  // TCP, UDP; host order
  std::uint16_t destination_port = 0;
  IcmpKind icmp = IcmpKind::kNotIcmp;
  std::uint8_t tcp_flags = 0;  // 0 for a quoted packet
};

struct InnerPacketView {
  FlowView flow;                       // later fragments: protocol and addresses only
  std::uint16_t total_length = 0;      // octets of the IP packet; <= the bytes given
  std::uint16_t transport_offset = 0;  // where the transport header or fragment payload begins
  Fragment fragment = Fragment::kWhole;
  bool more_fragments = false;
  bool dont_fragment = false;  // always true for IPv6
  std::uint32_t fragment_id = 0;
  std::uint32_t fragment_offset = 0;  // octets
  std::uint16_t quoted_offset = 0;    // IP header of the packet quoted in an ICMP error
  std::uint16_t quoted_transport = 0;
  std::optional<FlowView> quoted;  // for IcmpKind::kError

  [[nodiscard]] bool is_v4() const { return flow.source.is_v4(); }
  [[nodiscard]] std::uint32_t fragment_end() const { return fragment_offset + total_length - transport_offset; }
};

[[nodiscard]] Result<InnerPacketView, Refusal> parse_inner(tunnel::wire::ConstBytes bytes);

}  // namespace gateway::core
