#include "gateway/wg/plain_packet.h"

#include <algorithm>
#include <array>

#include "gateway/core/checksum.h"

namespace gateway::wg {
namespace {

using config::value::IpAddress;
using tunnel::wire::ConstBytes;

constexpr std::size_t kV4Header = 20, kV6Header = 40;

template <std::size_t N>
std::array<std::uint8_t, N> octets_at(ConstBytes packet, std::size_t at) {
  std::array<std::uint8_t, N> octets{};
  std::ranges::copy(packet.subspan(at, N), octets.begin());
  return octets;
}

}  // namespace

std::optional<IpAddress> destination_of(ConstBytes packet) {
  if (packet.empty()) return std::nullopt;
  const int version = packet[0] >> 4;
  if (version == 4 && packet.size() >= kV4Header) return IpAddress::v4(octets_at<4>(packet, 16));
  if (version == 6 && packet.size() >= kV6Header) return IpAddress::v6(octets_at<16>(packet, 24));
  return std::nullopt;
}

std::optional<core::InnerPacketView> super_view(ConstBytes packet) {
  const auto destination = destination_of(packet);
  if (!destination || packet.size() > 65'535) return std::nullopt;
  const bool v4 = destination->is_v4();
  if (v4 && packet[0] != 0x45) return std::nullopt;
  core::InnerPacketView view;
  view.flow.source = v4 ? IpAddress::v4(octets_at<4>(packet, 12)) : IpAddress::v6(octets_at<16>(packet, 8));
  view.flow.destination = *destination;
  view.flow.protocol = v4 ? packet[9] : packet[6];
  view.transport_offset = v4 ? kV4Header : kV6Header;
  view.total_length = static_cast<std::uint16_t>(packet.size());
  const ConstBytes transport = packet.subspan(view.transport_offset);
  const bool tcp = view.flow.protocol == core::kProtocolTcp, udp = view.flow.protocol == core::kProtocolUdp;
  const bool whole_tcp = tcp && transport.size() >= 20 && transport[12] >> 4 >= 5;
  if (!whole_tcp && !(udp && transport.size() >= 8)) return std::nullopt;
  return view;
}

bool may_join(ConstBytes packet) {
  if (packet[0] >> 4 == 6) return true;
  return packet[0] == 0x45 && core::finish_sum(core::ones_sum(packet.first(kV4Header))) == 0;
}

}  // namespace gateway::wg
