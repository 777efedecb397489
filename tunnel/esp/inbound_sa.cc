// RFC 4303 3.4.3: replay check -> 3.4.4: ICV -> window moves -> trailer.
#include "tunnel/esp/inbound_sa.h"

#include "tunnel/wire/inner_packet.h"
#include "tunnel/wire/reader.h"
#include "tunnel/wire/require.h"

namespace tunnel::esp {
namespace {

using wire::Drop;
using Opened = config::value::Result<wire::Bytes, Drop>;

// RFC 4303 2.4: the receiver looks at the padding; 1, 2, 3, ...
bool counts_up(wire::ConstBytes padding) {
  for (std::size_t i = 0; i < padding.size(); ++i) {
    if (padding[i] != i + 1) return false;
  }
  return true;
}

// RFC 4303 2.4-2.7: text = inner packet | TFC padding | padding | pad length | next header. Of an authenticated packet.
Opened inner_of(wire::Bytes text) {
  const std::unexpected refused(Drop::kInnerMalformed);
  if (text.size() < kTrailerSize) return refused;
  const std::uint8_t next_header = text.back();
  const std::size_t pad_length = text[text.size() - kTrailerSize];
  text = text.first(text.size() - kTrailerSize);
  if (pad_length > text.size() || !counts_up(text.last(pad_length))) return refused;
  text = text.first(text.size() - pad_length);
  if (next_header == kDummy) return text.first(0);
  if (next_header != kIpv4 && next_header != kIpv6) return refused;
  const auto facts = wire::inner_facts(text);
  if (!facts || facts->source.is_v4() != (next_header == kIpv4)) return refused;
  return text.first(facts->length);
}

}  // namespace

std::optional<InboundSa> InboundSa::make(const SaParams& params) {
  auto cipher = crypto::PacketCipher::make(params.suite, params.key);
  if (!cipher || params.spi < kReservedSpis) return std::nullopt;
  return InboundSa(params, std::move(*cipher));
}

InboundSa::InboundSa(const SaParams& params, crypto::PacketCipher cipher)
    : cipher_(std::move(cipher)), spi_(params.spi), extended_(params.extended) {}

// RFC 4303 A2.2: the high half that brings the number into or after the window.
std::optional<std::uint64_t> InboundSa::sequence_of(std::uint32_t low) const {
  if (!extended_) return low;
  const auto highest_low = static_cast<std::uint32_t>(window_.highest());
  std::uint64_t high = window_.highest() >> 32;
  const std::uint32_t bottom = highest_low - static_cast<std::uint32_t>(kWindow - 1);  // modulo 2^32
  if (highest_low >= kWindow - 1) {
    if (low < bottom && ++high > UINT32_MAX) return std::nullopt;
  } else if (low >= bottom) {
    if (high == 0) return std::nullopt;  // before the first packet of the SA
    --high;
  }
  return high << 32 | low;
}

config::value::Result<wire::Bytes, Drop> InboundSa::open(wire::Bytes packet) {
  const std::size_t iv_size = crypto::explicit_iv_size(suite());
  if (packet.size() < kHeaderSize + iv_size + crypto::tag_size(suite())) return std::unexpected(Drop::kMalformed);
  wire::Reader reader(packet);
  wire::require(reader.u32_be() == spi_);
  const auto sequence = sequence_of(reader.u32_be());
  // RFC 4303 3.3.3: the first number is 1. 3.4.3: judged before the ICV, the window moves after it.
  if (!sequence || *sequence == 0 || !window_.is_fresh(*sequence)) return std::unexpected(Drop::kReplay);

  const auto high = extended_ ? std::optional(static_cast<std::uint32_t>(*sequence >> 32)) : std::nullopt;
  const AssociatedData associated(suite(), packet, high);
  const wire::Bytes text_and_tag = packet.subspan(kHeaderSize + iv_size);
  if (!cipher_.open(packet.subspan(kHeaderSize, iv_size), {associated.before(), associated.after()}, text_and_tag)) {
    return std::unexpected(Drop::kForged);
  }
  wire::require(window_.accept(*sequence));
  const wire::Bytes text = text_and_tag.first(text_and_tag.size() - crypto::tag_size(suite()));
  ++use_.packets;
  use_.bytes += text.size();
  return inner_of(text);
}

}  // namespace tunnel::esp
