// Selectors as boxes: containment, common part, prefixes and text. No wire form here.
#include <algorithm>
#include <bit>

#include "tunnel/ike/selectors.h"

namespace tunnel::ike {
namespace {

using Number = unsigned __int128;  // of an address

Number number_of(const wire::IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t octet : address.octets()) number = number << 8 | octet;
  return number;
}

wire::IpAddress address_of(Number number, bool v4) {
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = v4 ? 4 : 16; i-- > 0; number >>= 8) octets[i] = static_cast<std::uint8_t>(number);
  if (!v4) return wire::IpAddress::v6(octets);
  return wire::IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

Number ones(int bits) {
  return bits >= 128 ? ~Number{0} : (Number{1} << bits) - 1;
}

// RFC 4301 4.4.1.1: "any" holds "opaque", a range of ports does not.
bool holds_ports(const Selector& outer, const Selector& inner) {
  if (outer.any_port()) return true;
  if (outer.opaque() || inner.opaque()) return outer.opaque() && inner.opaque();
  return outer.first_port <= inner.first_port && inner.last_port <= outer.last_port;
}

bool holds_protocol_and_ports(const Selector& outer, const Selector& inner) {
  return (outer.protocol == 0 || outer.protocol == inner.protocol) && holds_ports(outer, inner);
}

struct Ports {
  std::uint16_t first, last;
};

std::optional<Ports> common_ports(const Selector& a, const Selector& b) {
  if (a.opaque() || b.opaque()) {
    if (!holds_ports(a, b) && !holds_ports(b, a)) return std::nullopt;
    return Ports{65535, 0};
  }
  const Ports both{std::max(a.first_port, b.first_port), std::min(a.last_port, b.last_port)};
  return both.first <= both.last ? std::optional(both) : std::nullopt;
}

// The one prefix that has exactly these addresses, if there is one.
std::optional<wire::Prefix> only_prefix(const Selector& selector) {
  const Number first = number_of(selector.first), host = number_of(selector.last) - first;
  if ((host & (host + 1)) != 0 || (first & host) != 0) return std::nullopt;
  int host_bits = 0;
  while (host_bits < 128 && (host >> host_bits & 1) != 0) ++host_bits;
  return wire::Prefix::masked(selector.first, static_cast<std::uint8_t>(selector.first.bits() - host_bits));
}

std::string ports_text(const Selector& s) {
  if (s.any_port()) return "";
  if (s.opaque()) return " ports opaque";
  if (s.first_port == s.last_port) return " port " + std::to_string(s.first_port);
  return " ports " + std::to_string(s.first_port) + "-" + std::to_string(s.last_port);
}

}  // namespace

Selector Selector::of(const wire::Prefix& prefix) {
  const bool v4 = prefix.address().is_v4();
  const Number host = ones(prefix.address().bits() - prefix.length());
  return {prefix.address(), address_of(number_of(prefix.address()) | host, v4), 0, 0, 65535};
}

bool Selector::contains(const wire::IpAddress& address, std::uint8_t packet_protocol,
                        std::optional<std::uint16_t> port) const {
  if (!contains(address) || (protocol != 0 && protocol != packet_protocol)) return false;
  if (any_port()) return true;
  if (!port || opaque()) return !port && opaque();
  return first_port <= *port && *port <= last_port;
}

bool Selector::contains(const Selector& inner) const {
  return contains(inner.first) && contains(inner.last) && holds_protocol_and_ports(*this, inner);
}

std::optional<Selector> intersect(const Selector& a, const Selector& b) {
  if (a.first.family() != b.first.family()) return std::nullopt;
  if (a.protocol != 0 && b.protocol != 0 && a.protocol != b.protocol) return std::nullopt;
  const auto ports = common_ports(a, b);
  const Selector both{std::max(a.first, b.first), std::min(a.last, b.last),
                      std::max(a.protocol, b.protocol),  // one of them is 0, or they are equal
                      ports ? ports->first : std::uint16_t{0}, ports ? ports->last : std::uint16_t{0}};
  if (!ports || both.first > both.last) return std::nullopt;
  return both;
}

bool covers(std::span<const Selector> set, const Selector& selector) {
  std::vector<Selector> useful;
  std::ranges::copy_if(set, std::back_inserter(useful), [&](const Selector& s) {
    return s.first.family() == selector.first.family() && holds_protocol_and_ports(s, selector);
  });
  std::ranges::sort(useful, {}, &Selector::first);
  Number next = number_of(selector.first);  // the lowest address not yet found
  const Number last = number_of(selector.last);
  for (const Selector& s : useful) {
    if (number_of(s.first) > next) return false;
    if (number_of(s.last) >= last) return true;
    next = std::max(next, number_of(s.last) + 1);
  }
  return false;
}

std::vector<wire::Prefix> prefixes(const Selector& selector) {
  const bool v4 = selector.first.is_v4();
  const int bits = v4 ? 32 : 128;
  std::vector<wire::Prefix> found;
  Number next = number_of(selector.first);
  const Number last = number_of(selector.last);
  while (next <= last) {
    int host_bits = 0;  // the largest block that begins at `next` and does not pass `last`
    while (host_bits < bits && (next & ones(host_bits + 1)) == 0 && last - next >= ones(host_bits + 1)) ++host_bits;
    found.push_back(wire::Prefix::masked(address_of(next, v4), static_cast<std::uint8_t>(bits - host_bits)));
    if (last - next <= ones(host_bits)) break;  // `next` must not run over the end of the address space
    next += ones(host_bits) + 1;
  }
  return found;
}

std::string to_string(const Selector& selector) {
  const auto block = only_prefix(selector);
  std::string text = block ? block->to_string() : selector.first.to_string() + "-" + selector.last.to_string();
  if (selector.protocol != 0) text += " protocol " + std::to_string(selector.protocol);
  return text + ports_text(selector);
}

std::string to_string(std::span<const Selector> selectors) {
  std::string text;
  for (const Selector& selector : selectors) text += (text.empty() ? "" : ", ") + to_string(selector);
  return text;
}

}  // namespace tunnel::ike
