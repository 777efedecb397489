// The next prefix that nobody has, for a facility whose real addresses collide with another's: inside a pool, apart
// from everything the configuration names and from what no host may have. Deterministic: the lowest one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/gateway_config.h"

namespace config {

struct TakenPrefix {
  Prefix prefix;
  std::string what;  // "network of facility \"hakodate\""
  friend bool operator==(const TakenPrefix&, const TakenPrefix&) = default;
};

// An address of an interface of this machine, and the length of its network.
struct HostNetwork {
  std::string interface;
  IpAddress address;
  std::uint8_t length = 0;
};

// All that a new prefix must not overlap: real and seen networks, services and the networks around them (a /24, a /64),
// the gateway's own addresses and routers, endpoints and outer sources, and the ranges of special purpose (RFC 6890 and
// later). Sorted.
[[nodiscard]] std::vector<TakenPrefix> taken_prefixes(const GatewayConfig& config);

// The networks in which this machine stands; around its addresses on the inside interface at least a /24, a /64: what
// else is of the data centre is most likely beside them.
[[nodiscard]] std::vector<TakenPrefix> taken_by_host(const std::vector<HostNetwork>& networks,
                                                     const std::string& inside_interface);

// The lowest prefix of `length` within `pool` that overlaps none of `taken`, in any order; empty: there is none.
[[nodiscard]] std::optional<Prefix> next_free(const Prefix& pool, std::uint8_t length,
                                              std::span<const TakenPrefix> taken);

// Where prefixes are taken from when nobody says otherwise: 100.64.0.0/10 (RFC 6598). IPv6 has none: a ULA's global ID
// is random (RFC 4193), so it is the operator's.
[[nodiscard]] Prefix default_pool4();

}  // namespace config
