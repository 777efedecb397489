// RFC 3948 2.
#include "tunnel/esp/udp_framing.h"

#include <algorithm>

#include "tunnel/wire/reader.h"

namespace tunnel::esp {

std::optional<std::uint32_t> spi_of(wire::ConstBytes esp_packet) {
  wire::Reader reader(esp_packet);
  const std::uint32_t spi = reader.u32_be();
  return reader.good() ? std::optional(spi) : std::nullopt;
}

// RFC 3948 2.1: an SPI of zero never stands in ESP, so four zero octets mark IKE.
FramedBytes unframe(wire::Bytes datagram) {
  if (std::ranges::equal(datagram, kKeepalivePacket)) return {Framed::kKeepalive, {}};
  const auto spi = spi_of(datagram);
  if (!spi) return {};
  if (*spi == 0) return {Framed::kIke, datagram.subspan(kNonEspMarker.size())};
  return {Framed::kEsp, datagram};
}

}  // namespace tunnel::esp
