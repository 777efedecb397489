#include "gateway/audit/conntrack_event.h"

#include <algorithm>

namespace gateway::audit {
namespace {

using config::value::IpAddress;
using config::value::WallTime;

// Numbers of linux/netfilter/nfnetlink_conntrack.h; the kernel never changes them.
constexpr std::uint16_t kSubsystem = 1, kMessageNew = 0, kMessageDelete = 2;
constexpr std::uint16_t kFlagExclusive = 0x200, kFlagCreate = 0x400;
enum : std::uint16_t {
  kTupleOriginal = 1,
  kProtocolInfo = 4,
  kMark = 8,
  kCountersOriginal = 9,
  kCountersReply = 10,
  kId = 12,
  kTimestamp = 20
};
enum : std::uint16_t { kTupleIp = 1, kTupleProtocol = 2 };
enum : std::uint16_t { kV4Source = 1, kV4Destination = 2, kV6Source = 3, kV6Destination = 4 };
enum : std::uint16_t {
  kNumber = 1,
  kSourcePort = 2,
  kDestinationPort = 3,
  kIcmpId = 4,
  kIcmpType = 5,
  kIcmpCode = 6,
  kIcmp6Id = 7,
  kIcmp6Type = 8,
  kIcmp6Code = 9
};

std::optional<IpAddress> address_of(const Attribute& attribute, bool v4) {
  if (attribute.value.size() != (v4 ? 4u : 16u)) return std::nullopt;
  std::array<std::uint8_t, 16> octets{};
  std::ranges::copy(attribute.value, octets.begin());
  return v4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
}

bool read_ip(Octets octets, Tuple& tuple) {
  AttributeReader reader(octets);
  bool source = false, destination = false;
  while (auto attribute = reader.next()) {
    const bool v4 = attribute->type == kV4Source || attribute->type == kV4Destination;
    const bool is_source = attribute->type == kV4Source || attribute->type == kV6Source;
    if (attribute->type < kV4Source || attribute->type > kV6Destination) continue;
    const auto address = address_of(*attribute, v4);
    if (!address) return false;
    (is_source ? tuple.source : tuple.destination) = *address;
    (is_source ? source : destination) = true;
  }
  return source && destination && !reader.malformed() && tuple.source.family() == tuple.destination.family();
}

bool read_protocol(Octets octets, Tuple& tuple) {
  AttributeReader reader(octets);
  bool number = false;
  while (auto attribute = reader.next()) {
    const auto wide = big_endian<std::uint16_t>(attribute->value);
    const auto narrow = big_endian<std::uint8_t>(attribute->value);
    if (attribute->type == kNumber && narrow) tuple.protocol = *narrow, number = true;
    if ((attribute->type == kSourcePort || attribute->type == kIcmpId || attribute->type == kIcmp6Id) && wide)
      tuple.source_port = *wide;
    if (attribute->type == kDestinationPort && wide) tuple.destination_port = *wide;
    if ((attribute->type == kIcmpType || attribute->type == kIcmp6Type) && narrow)
      tuple.destination_port = static_cast<std::uint16_t>((*narrow << 8) | (tuple.destination_port & 0xff));
    if ((attribute->type == kIcmpCode || attribute->type == kIcmp6Code) && narrow)
      tuple.destination_port = static_cast<std::uint16_t>((tuple.destination_port & 0xff00) | *narrow);
  }
  return number && !reader.malformed();
}

bool read_tuple(Octets octets, Tuple& tuple) {
  AttributeReader reader(octets);
  bool ip = false, protocol = false;
  while (auto attribute = reader.next()) {
    if (attribute->type == kTupleIp) ip = read_ip(attribute->value, tuple);
    if (attribute->type == kTupleProtocol) protocol = read_protocol(attribute->value, tuple);
  }
  return ip && protocol && !reader.malformed();
}

// CTA_COUNTERS_PACKETS = 1, CTA_COUNTERS_BYTES = 2; CTA_TIMESTAMP_START = 1, CTA_TIMESTAMP_STOP = 2.
std::pair<std::optional<std::uint64_t>, std::optional<std::uint64_t>> read_pair(Octets octets) {
  std::pair<std::optional<std::uint64_t>, std::optional<std::uint64_t>> pair;
  AttributeReader reader(octets);
  while (auto attribute = reader.next()) {
    if (attribute->type == 1) pair.first = big_endian<std::uint64_t>(attribute->value);
    if (attribute->type == 2) pair.second = big_endian<std::uint64_t>(attribute->value);
  }
  return pair;
}

std::optional<Traffic> read_traffic(Octets octets) {
  const auto [packets, bytes] = read_pair(octets);
  if (!packets || !bytes) return std::nullopt;
  return Traffic{*packets, *bytes};
}

std::optional<WallTime> time_of(std::optional<std::uint64_t> ns) {
  if (!ns || *ns > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(*ns)));
}

// CTA_PROTOINFO_TCP = 1, CTA_PROTOINFO_TCP_STATE = 1.
std::optional<std::uint8_t> read_tcp_state(Octets octets) {
  AttributeReader reader(octets);
  while (auto attribute = reader.next()) {
    if (attribute->type != 1) continue;
    AttributeReader inner(attribute->value);
    while (auto field = inner.next())
      if (field->type == 1) return big_endian<std::uint8_t>(field->value);
  }
  return std::nullopt;
}

void read_attribute(const Attribute& attribute, ConntrackEvent& event) {
  switch (attribute.type) {
    case kProtocolInfo:
      event.tcp_state = read_tcp_state(attribute.value);
      break;
    case kMark:
      event.mark = big_endian<std::uint32_t>(attribute.value).value_or(0);
      break;
    case kCountersOriginal:
      event.sent = read_traffic(attribute.value);
      break;
    case kCountersReply:
      event.answered = read_traffic(attribute.value);
      break;
    case kId:
      event.id = big_endian<std::uint32_t>(attribute.value).value_or(0);
      break;
    case kTimestamp: {
      const auto [start, stop] = read_pair(attribute.value);
      event.started = time_of(start), event.stopped = time_of(stop);
      break;
    }
    default:
      break;
  }
}

std::optional<ConntrackEvent> read_event(const NetfilterMessage& message) {
  ConntrackEvent event;
  const bool fresh = (message.flags & (kFlagCreate | kFlagExclusive)) != 0;
  event.kind = (message.type & 0xff) == kMessageDelete ? ConntrackEvent::Kind::kDestroy
               : fresh                                 ? ConntrackEvent::Kind::kNew
                                                       : ConntrackEvent::Kind::kUpdate;
  AttributeReader reader(message.attributes);
  bool tuple = false;
  while (auto attribute = reader.next()) {
    if (attribute->type == kTupleOriginal)
      tuple = read_tuple(attribute->value, event.original);
    else
      read_attribute(*attribute, event);
  }
  if (!tuple || reader.malformed()) return std::nullopt;
  return event;
}

}  // namespace

ConntrackEvents read_conntrack_events(Octets datagram) {
  ConntrackEvents out;
  while (auto message = next_message(datagram)) {
    const std::uint16_t kind = message->type & 0xff;
    if (message->type >> 8 != kSubsystem || (kind != kMessageNew && kind != kMessageDelete)) continue;
    if (auto event = read_event(*message))
      out.events.push_back(*event);
    else
      ++out.malformed;
  }
  if (!datagram.empty()) ++out.malformed;
  return out;
}

}  // namespace gateway::audit
