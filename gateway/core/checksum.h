// The Internet checksum (RFC 1071) and its incremental change (RFC 1624 equation 3). Sums are kept in host order of
// big-endian words.
#pragma once

#include <cstdint>

#include "tunnel/wire/packet.h"

namespace gateway::core {

using tunnel::wire::Bytes;
using tunnel::wire::ConstBytes;

[[nodiscard]] inline std::uint16_t load16(ConstBytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}
inline void store16(Bytes bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
[[nodiscard]] inline std::uint32_t load32(ConstBytes bytes, std::size_t at) {
  return (std::uint32_t{load16(bytes, at)} << 16) | load16(bytes, at + 2);
}
inline void store32(Bytes bytes, std::size_t at, std::uint32_t value) {
  store16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  store16(bytes, at + 2, static_cast<std::uint16_t>(value));
}

// One's complement sum, not inverted; an odd last octet is padded with zero.
[[nodiscard]] std::uint32_t ones_sum(ConstBytes bytes, std::uint32_t sum = 0);
// Folded and inverted: what stands in the header.
[[nodiscard]] std::uint16_t finish_sum(std::uint32_t sum);
// Of the pseudo header: RFC 9293 3.1 (IPv4), RFC 8200 8.1 (IPv6).
[[nodiscard]] std::uint32_t pseudo_sum(ConstBytes source, ConstBytes destination, std::uint8_t protocol,
                                       std::uint32_t length);

// RFC 1624 3: the checksum after one covered word (or a run of words, even length) changed.
[[nodiscard]] std::uint16_t adjusted(std::uint16_t checksum, std::uint16_t before, std::uint16_t after);
[[nodiscard]] std::uint16_t adjusted(std::uint16_t checksum, ConstBytes before, ConstBytes after);

}  // namespace gateway::core
