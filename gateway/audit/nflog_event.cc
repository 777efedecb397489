#include "gateway/audit/nflog_event.h"

#include <algorithm>

namespace gateway::audit {
namespace {

using config::value::IpAddress;

// Numbers of linux/netfilter/nfnetlink_log.h.
constexpr std::uint16_t kPacketMessage = 4 << 8;  // subsystem ULOG, message PACKET
enum : std::uint16_t { kMark = 2, kInterfaceIn = 4, kInterfaceOut = 5, kPayload = 9, kPrefix = 10 };
constexpr std::size_t kLongestReason = 64;

std::string reason_of(Octets octets) {
  std::string text;
  for (const auto octet : octets.first(std::min(octets.size(), kLongestReason))) {
    if (octet == 0) break;
    text += octet >= 0x20 && octet < 0x7f ? static_cast<char>(octet) : '?';
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.pop_back();
  return text.empty() ? "unnamed" : text;
}

void read_ports(Octets transport, Tuple& tuple) {
  constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;
  if (transport.size() < 4) return;
  const auto first = static_cast<std::uint16_t>((transport[0] << 8) | transport[1]);
  const auto second = static_cast<std::uint16_t>((transport[2] << 8) | transport[3]);
  if (tuple.protocol == kTcp || tuple.protocol == kUdp) tuple.source_port = first, tuple.destination_port = second;
  if (tuple.protocol == kIcmp || tuple.protocol == kIcmp6) tuple.destination_port = first;  // type << 8 | code
}

IpAddress v4_at(Octets packet, std::size_t at) {
  return IpAddress::v4({packet[at], packet[at + 1], packet[at + 2], packet[at + 3]});
}

IpAddress v6_at(Octets packet, std::size_t at) {
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(packet.subspan(at, 16), octets.begin());
  return IpAddress::v6(octets);
}

std::optional<NflogEvent> read_event(Octets attributes) {
  NflogEvent event;
  event.reason = "unnamed";
  AttributeReader reader(attributes);
  while (auto attribute = reader.next()) {
    switch (attribute->type) {
      case kMark:
        event.mark = big_endian<std::uint32_t>(attribute->value).value_or(0);
        break;
      case kInterfaceIn:
        event.in_interface = big_endian<std::uint32_t>(attribute->value).value_or(0);
        break;
      case kInterfaceOut:
        event.out_interface = big_endian<std::uint32_t>(attribute->value).value_or(0);
        break;
      case kPayload:
        event.packet = read_packet(attribute->value);
        break;
      case kPrefix:
        event.reason = reason_of(attribute->value);
        break;
      default:
        break;
    }
  }
  if (reader.malformed()) return std::nullopt;
  return event;
}

}  // namespace

std::optional<Tuple> read_packet(Octets packet) {
  Tuple tuple;
  if (packet.size() >= 20 && packet[0] >> 4 == 4) {
    const std::size_t header = std::size_t{packet[0] & 0x0fu} * 4;
    tuple.source = v4_at(packet, 12), tuple.destination = v4_at(packet, 16), tuple.protocol = packet[9];
    const bool first_fragment = ((packet[6] & 0x1f) | packet[7]) == 0;
    if (header >= 20 && header <= packet.size() && first_fragment) read_ports(packet.subspan(header), tuple);
    return tuple;
  }
  if (packet.size() >= 40 && packet[0] >> 4 == 6) {
    tuple.source = v6_at(packet, 8), tuple.destination = v6_at(packet, 24), tuple.protocol = packet[6];
    read_ports(packet.subspan(40), tuple);
    return tuple;
  }
  return std::nullopt;
}

NflogEvents read_nflog_events(Octets datagram) {
  NflogEvents out;
  while (auto message = next_message(datagram)) {
    if (message->type != kPacketMessage) continue;
    if (auto event = read_event(message->attributes))
      out.events.push_back(std::move(*event));
    else
      ++out.malformed;
  }
  if (!datagram.empty()) ++out.malformed;
  return out;
}

}  // namespace gateway::audit
