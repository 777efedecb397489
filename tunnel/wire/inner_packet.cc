// RFC 791 3.1, RFC 8200 3.
#include "tunnel/wire/inner_packet.h"

#include "tunnel/wire/reader.h"

namespace tunnel::wire {
namespace {

constexpr std::size_t kV4Header = 20, kV6Header = 40;

std::optional<InnerFacts> v4_facts(ConstBytes packet) {
  Reader reader(packet);
  const std::size_t header = std::size_t{reader.u8() & 0x0fu} * 4;
  reader.skip(1);
  const std::size_t total = reader.u16_be();
  reader.skip(8);
  const auto source = IpAddress::v4(reader.array<4>());
  if (!reader.good() || header < kV4Header || total < header || total > packet.size()) return std::nullopt;
  return InnerFacts{total, source};
}

std::optional<InnerFacts> v6_facts(ConstBytes packet) {
  Reader reader(packet);
  reader.skip(4);
  const std::size_t total = kV6Header + reader.u16_be();
  reader.skip(2);
  const auto source = IpAddress::v6(reader.array<16>());
  if (!reader.good() || packet.size() < kV6Header || total > packet.size()) return std::nullopt;
  return InnerFacts{total, source};
}

}  // namespace

std::optional<InnerFacts> inner_facts(ConstBytes packet) {
  if (packet.empty()) return std::nullopt;
  if (packet[0] >> 4 == 4) return v4_facts(packet);
  if (packet[0] >> 4 == 6) return v6_facts(packet);
  return std::nullopt;
}

std::uint8_t inner_ecn(ConstBytes packet) {
  if (packet.size() < 2) return 0;
  if (packet[0] >> 4 == 4) return packet[1] & 0x03;
  if (packet[0] >> 4 == 6) return (packet[1] >> 4) & 0x03;
  return 0;
}

}  // namespace tunnel::wire
