// Small text forms that only the configuration has: names, dates, keys, usable addresses. Each parse() gives the value
// or a sentence for a person.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/gateway_config.h"
#include "config/value/result.h"

namespace config {

// [a-z0-9][a-z0-9-]{0,30}
struct NameText {
  std::string text;
  [[nodiscard]] static value::Result<NameText, std::string> parse(std::string_view text);
};

// "2027-03-31": valid to the end of that day in Asia/Tokyo, which is UTC+9 all year round. `end` is the first moment
// after.
struct EndDate {
  WallTime end;
  [[nodiscard]] static value::Result<EndDate, std::string> parse(std::string_view text);
};

// 32 octets in 44 characters of base64, not all zero.
struct PublicKeyText {
  std::string text;
  [[nodiscard]] static value::Result<PublicKeyText, std::string> parse(std::string_view text);
};

// "fqdn:rtx.hakodate.example", "ip:198.51.100.7", "email:a@b.example", "keyid:0a1b2c" (hexadecimal) or "dn:CN=...,
// O=...", whose parts gateway/core looks at.
struct IkeIdentityText {
  std::string text;
  [[nodiscard]] static value::Result<IkeIdentityText, std::string> parse(std::string_view text);
};

// 1..15 octets, a name Linux accepts, neither the loopback nor the tunnel device.
struct InterfaceName {
  std::string text;
  [[nodiscard]] static value::Result<InterfaceName, std::string> parse(std::string_view text);
};

// An address one host can have: not multicast, loopback, unspecified, link-local, broadcast or IPv4-mapped.
struct HostAddress {
  IpAddress address;
  [[nodiscard]] static value::Result<HostAddress, std::string> parse(std::string_view text);
  friend bool operator==(const HostAddress&, const HostAddress&) = default;
};

// As HostAddress, but link-local is allowed: a router on the link.
struct NextHopAddress {
  IpAddress address;
  [[nodiscard]] static value::Result<NextHopAddress, std::string> parse(std::string_view text);
  friend bool operator==(const NextHopAddress&, const NextHopAddress&) = default;
};

// A network whose every address is a HostAddress; so never a default route.
struct FacilityNetwork {
  Prefix prefix;
  [[nodiscard]] static value::Result<FacilityNetwork, std::string> parse(std::string_view text);
};

}  // namespace config
