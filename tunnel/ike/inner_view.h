// What selectors are compared with: addresses, protocol and ports of an inner packet. Nothing else is judged here; the
// data plane parses strictly.
#pragma once

#include <optional>

#include "tunnel/wire/packet.h"

namespace tunnel::ike {

struct InnerView {
  wire::IpAddress source, destination;
  std::uint8_t protocol = 0;                                   // IPv6: the first header's next header
  std::optional<std::uint16_t> source_port, destination_port;  // none: a later fragment, or a protocol without ports
  std::uint8_t ecn = 0;
};

// Nothing when it is neither a whole IPv4 nor a whole IPv6 header.
[[nodiscard]] std::optional<InnerView> view_of(wire::ConstBytes packet);

}  // namespace tunnel::ike
