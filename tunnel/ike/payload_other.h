// Vendor ID and Configuration payloads (RFC 7296 3.12, 3.15): recognised, checked, not acted upon. Addresses come from
// the configuration of the gateway, never from the peer.
#pragma once

#include <vector>

#include "tunnel/ike/message.h"

namespace tunnel::ike {

inline constexpr std::size_t kMaximumAttributes = 64;

struct ConfigurationAttribute {
  std::uint16_t type = 0;
  wire::ConstBytes value;
};

struct Configuration {
  enum class Kind : std::uint8_t { kRequest = 1, kReply = 2, kSet = 3, kAck = 4 };
  Kind kind = Kind::kRequest;
  std::vector<ConfigurationAttribute> attributes;
};

[[nodiscard]] Result<Configuration, ParseFailure> parse_configuration(wire::ConstBytes body);

}  // namespace tunnel::ike
