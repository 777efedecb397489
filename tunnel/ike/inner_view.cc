// RFC 791, RFC 8200; ports of TCP, UDP, SCTP and UDP-Lite, type and code of ICMP as RFC 4301 4.4.1.1 wants them.
#include "tunnel/ike/inner_view.h"

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

bool has_ports(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
}
bool has_type(std::uint8_t protocol) {
  return protocol == 1 || protocol == 58;
}

void add_ports(InnerView& view, wire::ConstBytes transport) {
  if (transport.size() < 4) return;
  wire::Reader reader(transport);
  const std::uint16_t first = reader.u16_be(), second = reader.u16_be();
  if (has_ports(view.protocol)) view.source_port = first, view.destination_port = second;
  if (has_type(view.protocol)) view.source_port = view.destination_port = first;  // type * 256 + code, on both sides
}

std::optional<InnerView> view_of_v4(wire::ConstBytes packet) {
  const std::size_t header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  if (header < 20 || packet.size() < header) return std::nullopt;
  InnerView view;
  view.ecn = packet[1] & 3;
  view.protocol = packet[9];
  wire::Reader reader(packet.subspan(12));
  view.source = wire::IpAddress::v4(reader.array<4>());
  view.destination = wire::IpAddress::v4(reader.array<4>());
  const bool first_fragment = (packet[6] & 0x1f) == 0 && packet[7] == 0;
  if (first_fragment) add_ports(view, packet.subspan(header));
  return view;
}

std::optional<InnerView> view_of_v6(wire::ConstBytes packet) {
  if (packet.size() < 40) return std::nullopt;
  InnerView view;
  view.ecn = packet[1] >> 4 & 3;
  view.protocol = packet[6];
  wire::Reader reader(packet.subspan(8));
  view.source = wire::IpAddress::v6(reader.array<16>());
  view.destination = wire::IpAddress::v6(reader.array<16>());
  add_ports(view, packet.subspan(40));
  return view;
}

}  // namespace

std::optional<InnerView> view_of(wire::ConstBytes packet) {
  if (packet.size() >= 20 && packet[0] >> 4 == 4) return view_of_v4(packet);
  if (packet.size() >= 40 && packet[0] >> 4 == 6) return view_of_v6(packet);
  return std::nullopt;
}

}  // namespace tunnel::ike
