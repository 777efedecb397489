// RFC 4303 3.3: trailer, encryption, sequence number, ICV.
#include "tunnel/esp/outbound_sa.h"

#include <algorithm>

#include "tunnel/wire/require.h"
#include "tunnel/wire/writer.h"

namespace tunnel::esp {
namespace {

std::uint8_t next_header_of(wire::ConstBytes inner) {
  if (inner.empty()) return kDummy;
  const int version = inner[0] >> 4;
  return version == 4 ? kIpv4 : version == 6 ? kIpv6 : kDummy;
}

}  // namespace

std::optional<OutboundSa> OutboundSa::make(const SaParams& params, std::uint64_t sent) {
  auto cipher = crypto::PacketCipher::make(params.suite, params.key);
  if (!cipher || params.spi < kReservedSpis) return std::nullopt;
  return OutboundSa(params, sent, std::move(*cipher));
}

OutboundSa::OutboundSa(const SaParams& params, std::uint64_t sent, crypto::PacketCipher cipher)
    : cipher_(std::move(cipher)),
      spi_(params.spi),
      extended_(params.extended),
      sequence_(sent),
      last_(params.extended ? UINT64_MAX : UINT32_MAX) {
  sequence_ = std::min(sequence_, last_);
}

OutboundSa::Outcome OutboundSa::seal(wire::ConstBytes inner, wire::Bytes packet, crypto::Rng& rng) {
  const std::uint8_t next_header = next_header_of(inner);
  if (next_header == kDummy) return Outcome::kNotInner;
  if (sequence_ == last_) return Outcome::kExhausted;
  wire::require(packet.size() == sealed_size(suite(), inner.size()));
  ++sequence_;

  wire::Writer writer(packet);
  writer.u32_be(spi_);
  writer.u32_be(static_cast<std::uint32_t>(sequence_));
  const wire::Bytes iv = writer.reserve(crypto::explicit_iv_size(suite()));
  if (iv.size() == sizeof sequence_) {
    wire::Writer(iv).u64_be(sequence_);  // RFC 4106 3.1, RFC 7634 2: any value that never comes again
  } else {
    rng.fill(iv);
  }
  const wire::Bytes text_and_tag = packet.subspan(writer.size());
  const std::size_t text = text_and_tag.size() - crypto::tag_size(suite());
  writer.octets(inner);
  const std::size_t padding = text - inner.size() - kTrailerSize;
  for (std::size_t i = 1; i <= padding; ++i) writer.u8(static_cast<std::uint8_t>(i));  // RFC 4303 2.4: 1, 2, 3, ...
  writer.u8(static_cast<std::uint8_t>(padding));
  writer.u8(next_header);

  const auto high = extended_ ? std::optional(static_cast<std::uint32_t>(sequence_ >> 32)) : std::nullopt;
  const AssociatedData associated(suite(), packet, high);
  cipher_.seal(iv, {associated.before(), associated.after()}, text_and_tag);
  ++use_.packets;
  use_.bytes += text;
  return Outcome::kSealed;
}

}  // namespace tunnel::esp
