// Inner packets for the data plane's tests, with checksums computed here from scratch, not by the code under test.
#pragma once

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/core/inner_packet.h"
#include "policy/plan.h"

namespace packets {

using Octets = std::vector<std::uint8_t>;
using config::value::IpAddress;
using config::value::Prefix;

inline IpAddress ip(const std::string& text) {
  auto parsed = IpAddress::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

inline Prefix net(const std::string& text) {
  auto parsed = Prefix::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

inline void put16(Octets& out, std::size_t at, unsigned value) {
  out[at] = static_cast<std::uint8_t>(value >> 8), out[at + 1] = static_cast<std::uint8_t>(value);
}

inline unsigned sum_of(const Octets& octets) {
  unsigned long total = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) total += i % 2 == 0 ? octets[i] * 256u : octets[i];
  while (total > 0xffff) total = total % 0x10000 + total / 0x10000;
  return static_cast<unsigned>(0xffff - total);
}

inline std::size_t header_of(const Octets& packet) {
  return packet[0] >> 4 == 4 ? 20 : 40;
}
inline std::uint8_t protocol_of(const Octets& packet) {
  return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

// Checksum of the transport part from scratch; 0 in the field when `protocol` has none.
inline void fix_transport(Octets& packet) {
  const std::size_t header = header_of(packet);
  const std::uint8_t protocol = protocol_of(packet);
  const std::size_t field = header + (protocol == 6 ? 16 : protocol == 17 ? 6 : 2);
  if (packet.size() < field + 2) return;
  put16(packet, field, 0);
  Octets covered;
  if (protocol != 1) {
    const std::size_t from = header == 20 ? 12 : 8;
    covered.assign(packet.begin() + static_cast<long>(from), packet.begin() + static_cast<long>(header));
    const auto length = packet.size() - header;
    covered.insert(covered.end(),
                   {0, protocol, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  }
  covered.insert(covered.end(), packet.begin() + static_cast<long>(header), packet.end());
  unsigned sum = sum_of(covered);
  if (sum == 0 && protocol == 17) sum = 0xffff;
  put16(packet, field, sum);
}

inline void fix_header(Octets& packet) {
  if (packet[0] >> 4 != 4) return;
  put16(packet, 10, 0);
  put16(packet, 10, sum_of(Octets(packet.begin(), packet.begin() + (packet[0] & 15) * 4)));
}

inline Octets ip_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, const Octets& transport) {
  Octets packet(from.is_v4() ? 20 : 40);
  if (from.is_v4()) {
    packet[0] = 0x45, packet[8] = 64, packet[9] = protocol;
    put16(packet, 2, static_cast<unsigned>(20 + transport.size()));
  } else {
    packet[0] = 0x60, packet[6] = protocol, packet[7] = 64;
    put16(packet, 4, static_cast<unsigned>(transport.size()));
  }
  const std::size_t at = from.is_v4() ? 12 : 8;
  std::copy(from.octets().begin(), from.octets().end(), packet.begin() + static_cast<long>(at));
  std::copy(to.octets().begin(), to.octets().end(), packet.begin() + static_cast<long>(at + to.octets().size()));
  packet.insert(packet.end(), transport.begin(), transport.end());
  fix_header(packet);
  fix_transport(packet);
  return packet;
}

inline Octets tcp(const std::string& from, unsigned from_port, const std::string& to, unsigned to_port,
                  std::uint8_t flags = 0x10, const Octets& options = {}, std::size_t payload = 0) {
  Octets transport(20);
  put16(transport, 0, from_port), put16(transport, 2, to_port);
  transport[12] = static_cast<std::uint8_t>((5 + options.size() / 4) << 4), transport[13] = flags;
  transport.insert(transport.end(), options.begin(), options.end());
  transport.resize(transport.size() + payload, 0x5a);
  return ip_packet(ip(from), ip(to), 6, transport);
}

inline Octets udp(const std::string& from, unsigned from_port, const std::string& to, unsigned to_port,
                  std::size_t payload = 12) {
  Octets transport(8 + payload, 0x33);
  put16(transport, 0, from_port), put16(transport, 2, to_port);
  put16(transport, 4, static_cast<unsigned>(transport.size())), put16(transport, 6, 0);
  return ip_packet(ip(from), ip(to), 17, transport);
}

inline Octets icmp(const std::string& from, const std::string& to, std::uint8_t type,
                   const Octets& body = Octets(8, 7)) {
  Octets transport(8);
  transport[0] = type;
  transport.insert(transport.end(), body.begin(), body.end());
  return ip_packet(ip(from), ip(to), ip(from).is_v4() ? 1 : 58, transport);
}

inline Octets echo_request(const std::string& from, const std::string& to) {
  return icmp(from, to, ip(from).is_v4() ? 8 : 128);
}
inline Octets echo_reply(const std::string& from, const std::string& to) {
  return icmp(from, to, ip(from).is_v4() ? 0 : 129);
}
// "Unreachable" about `quoted`.
inline Octets unreachable(const std::string& from, const std::string& to, const Octets& quoted) {
  return icmp(from, to, ip(from).is_v4() ? 3 : 1, quoted);
}

// A fragment of a datagram: `payload` octets at `offset`, carved from `whole`.
inline Octets fragment(const Octets& whole, std::size_t offset, std::size_t payload, bool more, unsigned id = 77) {
  const std::size_t header = header_of(whole);
  Octets out(whole.begin(), whole.begin() + static_cast<long>(header));
  const unsigned word =
      static_cast<unsigned>(header == 20 ? offset / 8 : offset) | (more ? (header == 20 ? 0x2000u : 1u) : 0u);
  if (header == 20) {
    put16(out, 2, static_cast<unsigned>(20 + payload)), put16(out, 4, id), put16(out, 6, word);
  } else {
    put16(out, 4, static_cast<unsigned>(8 + payload));
    out.insert(out.end(), {out[6], 0, 0, 0, 0, 0, 0, 0});
    out[6] = 44;
    put16(out, 42, word), put16(out, 46, id);
  }
  const auto begin = whole.begin() + static_cast<long>(header + offset);
  out.insert(out.end(), begin, begin + static_cast<long>(payload));
  fix_header(out);
  return out;
}

// Two facilities: "a" may use the service 10.80.0.10 (tcp/443, udp/5000-5010, echo) and, until second 1000, b's host 5
// (tcp/104); the service may open tcp/104 at b's host 5. b is seen translated. The same in IPv6.
struct Lines {
  policy::Plan plan;
  void permit(policy::PermissionKind kind, const std::string& from_facility, const std::string& source,
              const std::string& to_facility, const std::string& destination, const std::string& port,
              std::optional<int> until = {}) {
    policy::Permission p;
    p.rule = {static_cast<std::uint32_t>(plan.permissions.size() + 1)};
    p.kind = kind, p.from_facility = {from_facility}, p.to_facility = {to_facility};
    p.source = net(source), p.destination = net(destination);
    auto parsed = config::value::ServicePort::parse(port);
    REQUIRE(parsed);
    p.port = *parsed;
    if (until) p.until = config::value::WallTime(std::chrono::seconds(*until));
    p.name = port;
    plan.permissions.push_back(p);
  }
};

inline policy::Plan two_facilities() {
  using policy::PermissionKind;
  Lines lines;
  lines.plan.gateway_key = "gateway.key";
  policy::FacilityPlan a, b;
  a.name = {"a"}, b.name = {"b"};
  a.networks = {{net("10.1.0.0/24"), net("10.1.0.0/24")}, {net("fd00:1::/64"), net("fd00:1::/64")}};
  b.networks = {{net("192.168.1.0/24"), net("100.64.1.0/24")}, {net("fd99::/64"), net("fd00:2::/64")}};
  lines.plan.facilities = {a, b};
  for (const auto& [net_a, service, host_b] :
       {std::array<const char*, 3>{"10.1.0.0/24", "10.80.0.10/32", "100.64.1.5/32"},
        {"fd00:1::/64", "fd00:80::10/128", "fd00:2::5/128"}}) {
    for (const char* port : {"tcp/443", "udp/5000-5010", "icmp"})
      lines.permit(PermissionKind::kService, "a", net_a, "", service, port);
    lines.permit(PermissionKind::kExchange, "a", net_a, "b", host_b, "tcp/104", 1000);
    lines.permit(PermissionKind::kInside, "", service, "b", host_b, "tcp/104");
  }
  return lines.plan;
}

inline gateway::core::InnerPacketView parsed(const Octets& packet) {
  auto view = gateway::core::parse_inner(packet);
  REQUIRE(view);
  return *view;
}

}  // namespace packets
