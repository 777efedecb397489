// The only packets the data plane makes itself.
#include "gateway/core/too_big.h"

#include <algorithm>

#include "gateway/core/checksum.h"

namespace gateway::core {
namespace {

constexpr std::uint8_t kHopLimit = 64;

void write_addresses(Bytes out, std::size_t at, const FlowView& flow) {
  const auto from = flow.destination.octets(), to = flow.source.octets();
  std::copy(from.begin(), from.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(to.begin(), to.end(), out.begin() + static_cast<std::ptrdiff_t>(at + from.size()));
}

Bytes make_v4(ConstBytes packet, const FlowView& flow, std::uint16_t mtu, Bytes out) {
  const std::size_t quoted = std::min<std::size_t>(packet.size(), 548);
  out = out.first(28 + quoted);
  std::fill_n(out.begin(), 28, std::uint8_t{0});
  out[0] = 0x45;
  store16(out, 2, static_cast<std::uint16_t>(out.size()));
  store16(out, 6, 0x4000);
  out[8] = kHopLimit, out[9] = kProtocolIcmp;
  write_addresses(out, 12, flow);
  store16(out, 10, finish_sum(ones_sum(out.first(20))));
  out[20] = 3, out[21] = 4;
  store16(out, 26, mtu);
  std::copy_n(packet.begin(), quoted, out.begin() + 28);
  store16(out, 22, finish_sum(ones_sum(out.subspan(20))));
  return out;
}

Bytes make_v6(ConstBytes packet, const FlowView& flow, std::uint16_t mtu, Bytes out) {
  const std::size_t quoted = std::min<std::size_t>(packet.size(), kLargestTooBig - 48);
  out = out.first(48 + quoted);
  std::fill_n(out.begin(), 48, std::uint8_t{0});
  out[0] = 0x60;
  store16(out, 4, static_cast<std::uint16_t>(8 + quoted));
  out[6] = kProtocolIcmpV6, out[7] = kHopLimit;
  write_addresses(out, 8, flow);
  out[40] = 2;
  store32(out, 44, mtu);
  std::copy_n(packet.begin(), quoted, out.begin() + 48);
  const std::uint32_t pseudo =
      pseudo_sum(out.subspan(8, 16), out.subspan(24, 16), kProtocolIcmpV6, static_cast<std::uint32_t>(8 + quoted));
  store16(out, 42, finish_sum(ones_sum(out.subspan(40), pseudo)));
  return out;
}

}  // namespace

bool answers_too_big(const InnerPacketView& view) {
  return view.fragment != Fragment::kLater && view.flow.icmp != IcmpKind::kError;
}

Bytes make_too_big(ConstBytes packet, const InnerPacketView& view, std::uint16_t mtu, Bytes out) {
  const ConstBytes whole = packet.first(view.total_length);
  return view.is_v4() ? make_v4(whole, view.flow, mtu, out) : make_v6(whole, view.flow, mtu, out);
}

}  // namespace gateway::core
