// What the tunnel itself must know of an inner IP packet: its true length, its source, its ECN bits. Nothing more is
// judged here.
#pragma once

#include <optional>

#include "tunnel/wire/packet.h"

namespace tunnel::wire {

struct InnerFacts {
  std::size_t length = 0;  // from the IP header; the rest is padding
  IpAddress source;
};

// Nothing when the version is unknown, a header is cut, or the IP length is more than there is or less than its header.
[[nodiscard]] std::optional<InnerFacts> inner_facts(ConstBytes packet);
// The two ECN bits of a packet that inner_facts() understands; 0 for anything else.
[[nodiscard]] std::uint8_t inner_ecn(ConstBytes packet);

}  // namespace tunnel::wire
