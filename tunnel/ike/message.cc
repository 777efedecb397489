// RFC 7296 3.1, 3.2: header and chain. Reserved bits and octets are not looked at.
#include "tunnel/ike/message.h"

#include <algorithm>

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

constexpr std::uint8_t kCritical = 0x80, kInitiatorFlag = 0x08, kResponseFlag = 0x20;

bool is_known(PayloadType type) {
  return (type >= PayloadType::kSa && type <= PayloadType::kEap) || type == PayloadType::kEncryptedFragment;
}

bool is_known(Exchange exchange) {
  return exchange >= Exchange::kSaInit && exchange <= Exchange::kInformational;
}

bool is_encrypted(PayloadType type) {
  return type == PayloadType::kEncrypted || type == PayloadType::kEncryptedFragment;
}

std::unexpected<ParseFailure> fail(ParseError error, PayloadType type = PayloadType::kNone) {
  return std::unexpected(ParseFailure{error, static_cast<std::uint8_t>(type)});
}

}  // namespace

std::optional<Header> read_header(wire::ConstBytes datagram) {
  wire::Reader reader(datagram);
  Header header;
  header.initiator_spi = reader.u64_be();
  header.responder_spi = reader.u64_be();
  header.next_payload = PayloadType{reader.u8()};
  const std::uint8_t version = reader.u8();
  header.major = version >> 4;
  header.minor = version & 0x0f;
  header.exchange = Exchange{reader.u8()};
  const std::uint8_t flags = reader.u8();
  header.from_initiator = (flags & kInitiatorFlag) != 0;
  header.response = (flags & kResponseFlag) != 0;
  header.message_id = reader.u32_be();
  header.length = reader.u32_be();
  if (!reader.good()) return std::nullopt;
  return header;
}

std::optional<ParseFailure> judge(const Header& header, std::size_t size) {
  // RFC 7296 2.5: a higher major version is answered whatever else stands there, a lower one is another protocol.
  if (header.major > 2) return ParseFailure{ParseError::kMajorVersion, header.major};
  if (header.major < 2) return ParseFailure{ParseError::kOldVersion, header.major};
  if (size < kHeaderSize) return ParseFailure{ParseError::kHeaderTooShort};
  if (header.length != size) return ParseFailure{ParseError::kHeaderLength};
  if (!is_known(header.exchange)) {
    return ParseFailure{ParseError::kUnknownExchange, static_cast<std::uint8_t>(header.exchange)};
  }
  // RFC 7296 3.1: SPIi is never zero; SPIr is zero in the first message only, also when it comes again with a cookie.
  if (header.initiator_spi == 0) return ParseFailure{ParseError::kZeroSpi};
  if (header.exchange != Exchange::kSaInit) {
    return header.responder_spi == 0 ? std::optional(ParseFailure{ParseError::kResponderSpi}) : std::nullopt;
  }
  if (!header.response && header.responder_spi != 0) return ParseFailure{ParseError::kResponderSpi};
  // RFC 7296 2.2: the IKE_SA_INIT messages have number 0, and their sender says who it is.
  if (header.message_id != 0 || header.from_initiator == header.response) return ParseFailure{ParseError::kMessageId};
  return std::nullopt;
}

void write_header(std::span<std::uint8_t, kHeaderSize> out, const Header& header) {
  wire::Writer writer(out);
  writer.u64_be(header.initiator_spi);
  writer.u64_be(header.responder_spi);
  writer.u8(static_cast<std::uint8_t>(header.next_payload));
  writer.u8(static_cast<std::uint8_t>(header.major << 4 | header.minor));
  writer.u8(static_cast<std::uint8_t>(header.exchange));
  writer.u8(
      static_cast<std::uint8_t>((header.from_initiator ? kInitiatorFlag : 0) | (header.response ? kResponseFlag : 0)));
  writer.u32_be(header.message_id);
  writer.u32_be(header.length);
}

const Payload* Payloads::find(PayloadType type) const {
  const Payload* const found = std::find_if(begin(), end(), [type](const Payload& p) { return p.type == type; });
  return found == end() ? nullptr : found;
}

std::size_t Payloads::count(PayloadType type) const {
  return static_cast<std::size_t>(std::count_if(begin(), end(), [type](const Payload& p) { return p.type == type; }));
}

// Each step consumes at least the generic header, and at most kMaximumPayloads are read.
class ChainReader {
 public:
  ChainReader(wire::ConstBytes octets, std::size_t start, bool inner)
      : reader_(octets.subspan(start)), size_(octets.size()), inner_(inner) {}

  Result<Payloads, ParseFailure> read(PayloadType first) {
    PayloadType type = first;
    for (std::size_t steps = 0; type != PayloadType::kNone; ++steps) {
      if (steps == kMaximumPayloads) return fail(ParseError::kTooManyPayloads);
      type = TRY(step(type));
    }
    if (!reader_.rest().empty()) return fail(ParseError::kTrailingOctets);
    return found_;
  }

 private:
  // One payload; the result is the type of the next.
  Result<PayloadType, ParseFailure> step(PayloadType type) {
    const PayloadType next{reader_.u8()};
    const bool critical = (reader_.u8() & kCritical) != 0;
    const std::uint16_t length = reader_.u16_be();
    if (!reader_.good()) return fail(ParseError::kPayloadTruncated, type);
    if (length < kGenericHeaderSize) return fail(ParseError::kPayloadLength, type);
    const std::size_t offset = size_ - reader_.rest().size();
    const wire::ConstBytes body = reader_.take(length - kGenericHeaderSize);
    if (!reader_.good()) return fail(ParseError::kPayloadLength, type);
    // RFC 7296 2.5: the critical bit counts for unknown types only.
    if (!is_known(type))
      return critical ? fail(ParseError::kUnsupportedCritical, type) : Result<PayloadType, ParseFailure>(next);
    found_.list_[found_.size_++] = {type, next, offset, body};
    if (!is_encrypted(type)) return next;
    // RFC 7296 3.14: SK is the last payload, and its next payload is the first one inside it.
    if (inner_) return fail(ParseError::kNestedEncrypted, type);
    return reader_.rest().empty() ? Result<PayloadType, ParseFailure>(PayloadType::kNone)
                                  : fail(ParseError::kEncryptedNotLast, type);
  }

  wire::Reader reader_;
  std::size_t size_;
  bool inner_;
  Payloads found_;
};

Result<Payloads, ParseFailure> parse_message(wire::ConstBytes datagram, const Header& header) {
  if (datagram.size() < kHeaderSize) return fail(ParseError::kHeaderTooShort);
  return ChainReader(datagram, kHeaderSize, false).read(header.next_payload);
}

Result<Payloads, ParseFailure> parse_inner(PayloadType first, wire::ConstBytes octets) {
  return ChainReader(octets, 0, true).read(first);
}

wire::Writer& Chain::begin(PayloadType type) {
  end();
  if (generic_.empty()) {
    first_ = type;
  } else {
    generic_[0] = static_cast<std::uint8_t>(type);
  }
  generic_ = writer_.reserve(kGenericHeaderSize);
  std::ranges::fill(generic_, std::uint8_t{0});
  body_start_ = writer_.size();
  open_ = true;
  return writer_;
}

void Chain::end() {
  if (!open_) return;
  const std::size_t length = writer_.size() - body_start_ + kGenericHeaderSize;
  wire::require(length <= UINT16_MAX);
  generic_[2] = static_cast<std::uint8_t>(length >> 8);
  generic_[3] = static_cast<std::uint8_t>(length);
  open_ = false;
}

PlainMessage::PlainMessage(wire::Writer& writer, const Header& header)
    : writer_(writer),
      start_(writer.size()),
      header_(header),
      head_(writer.reserve(kHeaderSize).first<kHeaderSize>()),
      chain_(writer) {}

wire::ConstBytes PlainMessage::finish() {
  chain_.end();
  header_.next_payload = chain_.first();
  header_.length = static_cast<std::uint32_t>(writer_.size() - start_);
  write_header(head_, header_);
  return writer_.written().subspan(start_);
}

}  // namespace tunnel::ike
