// RFC 7296 3.10, 3.11.
#include "tunnel/ike/payload_notify.h"

#include <algorithm>

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

std::unexpected<ParseFailure> fail(ParseError error) {
  return std::unexpected(ParseFailure{error});
}

}  // namespace

Result<Notify, ParseFailure> parse_notify(wire::ConstBytes body) {
  wire::Reader reader(body);
  Notify notify;
  notify.protocol = Protocol{reader.u8()};
  const std::uint8_t spi_size = reader.u8();
  notify.type = NotifyType{reader.u16_be()};
  // RFC 7296 3.10: 4 for ESP and AH, 0 for the IKE SA itself; 8 was seen and names an IKE SA.
  if (spi_size != 0 && spi_size != 4 && spi_size != 8) return fail(ParseError::kNotify);
  notify.spi = reader.take(spi_size);
  if (!reader.good()) return fail(ParseError::kNotify);
  notify.data = reader.rest();
  return notify;
}

Result<DeletePayload, ParseFailure> parse_delete(wire::ConstBytes body) {
  wire::Reader reader(body);
  DeletePayload payload;
  payload.protocol = Protocol{reader.u8()};
  const std::uint8_t spi_size = reader.u8();
  const std::uint16_t count = reader.u16_be();
  if (!reader.good()) return fail(ParseError::kDelete);
  if (payload.protocol == Protocol::kIke) {
    return spi_size == 0 && count == 0 && reader.complete() ? Result<DeletePayload, ParseFailure>(std::move(payload))
                                                            : fail(ParseError::kDelete);
  }
  if (payload.protocol != Protocol::kEsp && payload.protocol != Protocol::kAh) return fail(ParseError::kDelete);
  if (spi_size != 4 || reader.rest().size() != std::size_t{4} * count) return fail(ParseError::kDelete);
  payload.spis.reserve(count);
  while (!reader.rest().empty()) payload.spis.push_back(reader.u32_be());
  return payload;
}

void append(Chain& chain, const Notify& notify) {
  wire::Writer& writer = chain.begin(PayloadType::kNotify);
  writer.u8(static_cast<std::uint8_t>(notify.protocol));
  writer.u8(static_cast<std::uint8_t>(notify.spi.size()));
  writer.u16_be(static_cast<std::uint16_t>(notify.type));
  writer.octets(notify.spi);
  writer.octets(notify.data);
  chain.end();
}

void append(Chain& chain, NotifyType type, wire::ConstBytes data) {
  append(chain, Notify{type, Protocol::kNone, {}, data});
}

void append(Chain& chain, NotifyType type, std::uint32_t esp_spi) {
  append(chain, Notify{type, Protocol::kEsp, ProposalSpi::esp(esp_spi).octets(), {}});
}

void append(Chain& chain, const DeletePayload& payload) {
  const bool of_ike = payload.protocol == Protocol::kIke;
  wire::require(of_ike == payload.spis.empty() && payload.spis.size() <= UINT16_MAX);
  wire::Writer& writer = chain.begin(PayloadType::kDelete);
  writer.u8(static_cast<std::uint8_t>(payload.protocol));
  writer.u8(of_ike ? 0 : 4);
  writer.u16_be(static_cast<std::uint16_t>(payload.spis.size()));
  for (const std::uint32_t spi : payload.spis) writer.u32_be(spi);
  chain.end();
}

Result<std::vector<Notify>, ParseFailure> parse_notifies(const Payloads& payloads) {
  std::vector<Notify> notifies;
  for (const Payload& payload : payloads) {
    if (payload.type == PayloadType::kNotify) notifies.push_back(TRY(parse_notify(payload.body)));
  }
  return notifies;
}

const Notify* find(std::span<const Notify> notifies, NotifyType type) {
  const auto found = std::ranges::find(notifies, type, &Notify::type);
  return found == notifies.end() ? nullptr : &*found;
}

std::optional<crypto::Group> wanted_group(const Notify& notify) {
  wire::Reader reader(notify.data);
  const crypto::Group group{reader.u16_be()};
  if (!reader.complete()) return std::nullopt;
  return group;
}

std::optional<std::vector<std::uint16_t>> hash_algorithms(const Notify& notify) {
  if (notify.data.empty() || notify.data.size() % 2 != 0 || notify.data.size() > 64) return std::nullopt;
  wire::Reader reader(notify.data);
  std::vector<std::uint16_t> numbers;
  while (!reader.rest().empty()) numbers.push_back(reader.u16_be());
  return numbers;
}

}  // namespace tunnel::ike
