// Both ends rekeyed the same SA at once (RFC 7296 2.8.1): of the four nonces the lowest decides which of the two new
// SAs is given up, by the end that began the exchange it came from.
#pragma once

#include <algorithm>

#include "tunnel/wire/packet.h"

namespace tunnel::ike {

// Octet by octet; of two where one begins with the other, the shorter is lower.
[[nodiscard]] inline bool lower(wire::ConstBytes a, wire::ConstBytes b) {
  return std::ranges::lexicographical_compare(a, b);
}
[[nodiscard]] inline wire::ConstBytes lowest(wire::ConstBytes a, wire::ConstBytes b) {
  return lower(a, b) ? a : b;
}

}  // namespace tunnel::ike
