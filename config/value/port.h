// What a permission opens above IP: a protocol and, where it has them, a range of destination ports.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/value/result.h"

namespace config::value {

enum class IpProtocol : std::uint8_t { kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpV6 = 58 };

// kIcmp means "echo" and stands for both families: ICMP towards IPv4, ICMPv6 towards IPv6 addresses.
struct ServicePort {
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint16_t first = 0;  // inclusive; 0 for echo
  std::uint16_t last = 0;   // inclusive; 0 for echo

  // "tcp/443", "udp/5000-5010", "icmp" (echo). The error is a sentence for a person.
  [[nodiscard]] static Result<ServicePort, std::string> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool has_ports() const { return protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp; }
  [[nodiscard]] bool contains(IpProtocol other, std::uint16_t port) const {
    return protocol == other && (!has_ports() || (first <= port && port <= last));
  }
  friend constexpr auto operator<=>(const ServicePort&, const ServicePort&) = default;
};

}  // namespace config::value
