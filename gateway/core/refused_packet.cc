#include "gateway/core/refused_packet.h"

#include <algorithm>

#include "gateway/core/checksum.h"
#include "gateway/core/inner_packet.h"

namespace gateway::core {
namespace {

constexpr std::uint8_t kNextFragment = 44;

IpAddress v6_at(ConstBytes bytes, std::size_t at) {
  std::array<std::uint8_t, 16> octets;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), octets.size(), octets.begin());
  return IpAddress::v6(octets);
}

// As in the records of flows: of ICMP the identifier, and type * 256 + code.
void read_ports(ConstBytes transport, RefusedPacket& packet) {
  const bool icmp = packet.protocol == kProtocolIcmp || packet.protocol == kProtocolIcmpV6;
  if (!icmp && packet.protocol != kProtocolTcp && packet.protocol != kProtocolUdp) return;
  if (transport.size() < (icmp ? 2 : 4)) return;
  packet.destination_port = load16(transport, icmp ? 0 : 2);
  if (!icmp)
    packet.source_port = load16(transport, 0);
  else if (transport.size() >= 6)
    packet.source_port = load16(transport, 4);
}

void read_v4(ConstBytes bytes, RefusedPacket& packet) {
  if (bytes.size() < 20) return;
  packet.source = IpAddress::v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  packet.destination = IpAddress::v4({bytes[16], bytes[17], bytes[18], bytes[19]});
  packet.protocol = bytes[9];
  const std::uint16_t word = load16(bytes, 6);
  packet.fragment = (word & 0x3fff) != 0;
  const std::size_t header = static_cast<std::size_t>(bytes[0] & 15) * 4;
  if ((word & 0x1fff) == 0 && header >= 20 && header <= bytes.size()) read_ports(bytes.subspan(header), packet);
}

void read_v6(ConstBytes bytes, RefusedPacket& packet) {
  if (bytes.size() < 40) return;
  packet.source = v6_at(bytes, 8), packet.destination = v6_at(bytes, 24);
  packet.protocol = bytes[6];
  if (packet.protocol != kNextFragment) return read_ports(bytes.subspan(40), packet);
  packet.fragment = true;
  if (bytes.size() < 48) return;
  packet.protocol = bytes[40];
  if ((load16(bytes, 42) & 0xfff8) == 0) read_ports(bytes.subspan(48), packet);
}

}  // namespace

RefusedPacket describe_refused(ConstBytes bytes) {
  RefusedPacket packet;
  if (bytes.empty()) return packet;
  if (bytes[0] >> 4 == 4) read_v4(bytes, packet);
  if (bytes[0] >> 4 == 6) read_v6(bytes, packet);
  return packet;
}

}  // namespace gateway::core
