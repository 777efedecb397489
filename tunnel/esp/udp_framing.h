// UDP 4500 (RFC 3948): what a datagram there holds. Nothing is decided about it here.
#pragma once

#include <array>
#include <optional>

#include "tunnel/wire/packet.h"

namespace tunnel::esp {

inline constexpr std::array<std::uint8_t, 4> kNonEspMarker{};         // RFC 3948 2.2: in front of every IKE message
inline constexpr std::array<std::uint8_t, 1> kKeepalivePacket{0xff};  // RFC 3948 2.3

enum class Framed : std::uint8_t { kEsp, kIke, kKeepalive, kMalformed };

struct FramedBytes {
  Framed kind = Framed::kMalformed;
  wire::Bytes bytes;  // the ESP packet, or the IKE message without its marker
};

[[nodiscard]] FramedBytes unframe(wire::Bytes datagram);
// Nothing when there are fewer than four octets.
[[nodiscard]] std::optional<std::uint32_t> spi_of(wire::ConstBytes esp_packet);

}  // namespace tunnel::esp
