// One place writes an address (`replace`), one knows which checksums cover it.
#include "gateway/core/translation.h"

#include <algorithm>

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

using config::value::Prefix;
using policy::NetworkMap;

struct AddressField {
  std::size_t at = 0;         // of the address in the packet
  std::size_t header = 0;     // of the IP header it stands in
  std::size_t transport = 0;  // of the transport header behind; 0: none in this packet
  std::uint8_t protocol = 0;
};

// Where the checksum over the pseudo header stands; 0: none. ICMP for IPv4 has no pseudo header.
std::size_t transport_checksum(const AddressField& field, std::size_t size) {
  std::size_t offset = 0;
  if (field.protocol == kProtocolTcp)
    offset = 16;
  else if (field.protocol == kProtocolUdp)
    offset = 6;
  else if (field.protocol == kProtocolIcmpV6)
    offset = 2;
  if (offset == 0 || field.transport == 0 || field.transport + offset + 2 > size) return 0;
  return field.transport + offset;
}

// Writes a word inside an ICMP error's quotation: the outer ICMP checksum covers it too. `icmp` 0: not quoted.
void store_covered(Bytes bytes, std::size_t at, std::uint16_t value, std::size_t icmp) {
  if (icmp != 0) store16(bytes, icmp + 2, adjusted(load16(bytes, icmp + 2), load16(bytes, at), value));
  store16(bytes, at, value);
}

void replace(Bytes bytes, const AddressField& field, const IpAddress& after, std::size_t icmp) {
  const std::size_t size = after.octets().size();
  std::array<std::uint8_t, 16> before;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(field.at), size, before.begin());
  const ConstBytes old(before.data(), size);
  if (after.is_v4()) {
    const std::size_t at = field.header + 10;
    store_covered(bytes, at, adjusted(load16(bytes, at), old, after.octets()), icmp);
  }
  if (const std::size_t at = transport_checksum(field, bytes.size()); at != 0) {
    std::uint16_t sum = load16(bytes, at);
    const bool none = field.protocol == kProtocolUdp && sum == 0;  // RFC 768: the sender made none
    if (!none) {
      sum = adjusted(sum, old, after.octets());
      if (sum == 0 && field.protocol == kProtocolUdp) sum = 0xffff;
      store_covered(bytes, at, sum, icmp);
    }
  }
  for (std::size_t i = 0; i < size; i += 2) store_covered(bytes, field.at + i, load16(after.octets(), i), icmp);
}

const NetworkMap* holder(const std::vector<NetworkMap>& networks, Prefix NetworkMap::* side, const IpAddress& address) {
  const auto found = std::find_if(networks.begin(), networks.end(),
                                  [&](const NetworkMap& map) { return (map.*side).contains(address); });
  return found == networks.end() ? nullptr : &*found;
}

enum class End : bool { kSource, kDestination };

AddressField outer_field(const InnerPacketView& view, End end) {
  const std::size_t at = view.is_v4() ? (end == End::kSource ? 12 : 16) : (end == End::kSource ? 8 : 24);
  // A later fragment has no transport header; that of the first carries the change for the whole datagram.
  const std::size_t transport = view.fragment == Fragment::kLater ? 0 : view.transport_offset;
  return {at, 0, transport, view.flow.protocol};
}

AddressField quoted_field(const InnerPacketView& view, End end) {
  AddressField field = outer_field(view, end);
  field.header = view.quoted_offset;
  field.at += view.quoted_offset;
  field.transport = view.quoted_transport;
  field.protocol = view.quoted->protocol;
  return field;
}

}  // namespace

Result<Translation, std::string> Translation::compile(const std::vector<NetworkMap>& networks) {
  Translation made;
  for (const NetworkMap& map : networks) {
    if (map.real.length() != map.seen.length() || map.real.address().family() != map.seen.address().family())
      return std::unexpected(map.real.to_string() + " cannot be seen as " + map.seen.to_string());
    made.translates_ |= map.real != map.seen;
  }
  made.networks_ = networks;
  return made;
}

Refusal Translation::to_seen(Bytes bytes, InnerPacketView& view) const {
  bytes = bytes.first(view.total_length);
  const NetworkMap* map = holder(networks_, &NetworkMap::real, view.flow.source);
  if (map == nullptr) return Refusal::kSourceForeign;
  if (view.quoted) {
    const NetworkMap* quoted = holder(networks_, &NetworkMap::real, view.quoted->destination);
    if (quoted == nullptr) return Refusal::kEmbedded;
    view.quoted->destination = translate(view.quoted->destination, quoted->real, quoted->seen);
    replace(bytes, quoted_field(view, End::kDestination), view.quoted->destination, view.transport_offset);
  }
  view.flow.source = translate(view.flow.source, map->real, map->seen);
  replace(bytes, outer_field(view, End::kSource), view.flow.source, 0);
  return Refusal::kNone;
}

Refusal Translation::to_real(Bytes bytes, InnerPacketView& view) const {
  return turn_destination(bytes, view, &NetworkMap::seen, &NetworkMap::real);
}

Refusal Translation::undo_to_real(Bytes bytes, InnerPacketView& view) const {
  return turn_destination(bytes, view, &NetworkMap::real, &NetworkMap::seen);
}

Refusal Translation::turn_destination(Bytes bytes, InnerPacketView& view, Side from, Side to) const {
  bytes = bytes.first(view.total_length);
  const NetworkMap* map = holder(networks_, from, view.flow.destination);
  if (map == nullptr) return Refusal::kUnknownDestination;
  if (view.quoted) {
    const NetworkMap* quoted = holder(networks_, from, view.quoted->source);
    if (quoted == nullptr) return Refusal::kEmbedded;
    view.quoted->source = translate(view.quoted->source, quoted->*from, quoted->*to);
    replace(bytes, quoted_field(view, End::kSource), view.quoted->source, view.transport_offset);
  }
  view.flow.destination = translate(view.flow.destination, map->*from, map->*to);
  replace(bytes, outer_field(view, End::kDestination), view.flow.destination, 0);
  return Refusal::kNone;
}

}  // namespace gateway::core
