// RFC 7296 3.3.1-3.3.6.
#include "tunnel/ike/proposal.h"

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

constexpr std::uint8_t kMoreProposals = 2, kMoreTransforms = 3;
constexpr std::uint16_t kKeyLength = 14, kShortForm = 0x8000;
constexpr std::size_t kProposalHeader = 8, kTransformHeader = 8;

std::unexpected<ParseFailure> fail(ParseError error) {
  return std::unexpected(ParseFailure{error});
}

// RFC 7296 3.3.5: AF 1 is type and value, AF 0 type, length, value.
Result<Transform, ParseFailure> with_attributes(Transform transform, wire::Reader reader) {
  bool had_key_length = false;
  while (!reader.rest().empty()) {
    const std::uint16_t type = reader.u16_be();
    const std::uint16_t value_or_length = reader.u16_be();
    if ((type & kShortForm) == 0) reader.skip(value_or_length);
    if (!reader.good()) return fail(ParseError::kAttribute);
    if (type == (kKeyLength | kShortForm) && !had_key_length && value_or_length != 0) {
      transform.key_bits = value_or_length;
      had_key_length = true;
    } else {
      transform.understood = false;
    }
  }
  return transform;
}

// One substructure after its octet "last": length, then that many octets less its own head of four.
Result<wire::ConstBytes, ParseFailure> substructure(wire::Reader& reader, std::size_t least, ParseError error) {
  reader.skip(1);  // reserved
  const std::uint16_t length = reader.u16_be();
  if (!reader.good() || length < least) return fail(error);
  const wire::ConstBytes content = reader.take(length - 4u);
  if (!reader.good()) return fail(error);
  return content;
}

Result<std::vector<Transform>, ParseFailure> read_transforms(wire::Reader reader, std::size_t announced) {
  if (announced > kMaximumTransforms) return fail(ParseError::kTooManyTransforms);
  std::vector<Transform> transforms;
  transforms.reserve(announced);
  while (!reader.rest().empty()) {
    if (transforms.size() == announced) return fail(ParseError::kTransformCount);
    const std::uint8_t last = reader.u8();
    wire::Reader content(TRY(substructure(reader, kTransformHeader, ParseError::kTransformLength)));
    // RFC 7296 3.3.2: 0 on the last one, 3 on all others.
    if (last != (reader.rest().empty() ? 0 : kMoreTransforms)) return fail(ParseError::kProposalLast);
    Transform transform;
    transform.type = TransformType{content.u8()};
    content.skip(1);
    transform.id = content.u16_be();
    transforms.push_back(TRY(with_attributes(transform, content)));
  }
  if (transforms.size() != announced) return fail(ParseError::kTransformCount);
  return transforms;
}

bool spi_fits(Protocol protocol, wire::ConstBytes spi) {
  const bool nonzero = std::ranges::any_of(spi, [](std::uint8_t octet) { return octet != 0; });
  switch (protocol) {
    case Protocol::kIke:
      return spi.empty() || (spi.size() == 8 && nonzero);
    case Protocol::kAh:
    case Protocol::kEsp:
      return spi.size() == 4 && nonzero;
    case Protocol::kNone:
      break;
  }
  return true;
}

bool is_known(Protocol protocol) {
  return protocol >= Protocol::kIke && protocol <= Protocol::kEsp;
}

// Content after the head of four octets.
Result<Proposal, ParseFailure> read_proposal(wire::ConstBytes octets) {
  wire::Reader reader(octets);
  Proposal proposal;
  proposal.number = reader.u8();
  proposal.protocol = Protocol{reader.u8()};
  const std::uint8_t spi_size = reader.u8();
  const std::uint8_t count = reader.u8();
  const wire::ConstBytes spi = reader.take(spi_size);
  if (!reader.good()) return fail(ParseError::kProposalLength);
  if (!is_known(proposal.protocol)) return proposal;
  if (!spi_fits(proposal.protocol, spi)) return fail(ParseError::kProposalSpi);
  proposal.spi = ProposalSpi::of(spi);
  proposal.transforms = TRY(read_transforms(reader, count));
  return proposal;
}

std::size_t size_of(const Transform& transform) {
  return kTransformHeader + (transform.key_bits != 0 ? 4 : 0);
}

std::size_t size_of(const Proposal& proposal) {
  std::size_t size = kProposalHeader + proposal.spi.size();
  for (const Transform& t : proposal.transforms) size += size_of(t);
  return size;
}

void write(wire::Writer& writer, const Transform& transform, bool last) {
  writer.u8(last ? 0 : kMoreTransforms);
  writer.u8(0);
  writer.u16_be(static_cast<std::uint16_t>(size_of(transform)));
  writer.u8(static_cast<std::uint8_t>(transform.type));
  writer.u8(0);
  writer.u16_be(transform.id);
  if (transform.key_bits == 0) return;
  writer.u16_be(kKeyLength | kShortForm);
  writer.u16_be(transform.key_bits);
}

void write(wire::Writer& writer, const Proposal& proposal, bool last) {
  wire::require(proposal.transforms.size() <= kMaximumTransforms);
  writer.u8(last ? 0 : kMoreProposals);
  writer.u8(0);
  writer.u16_be(static_cast<std::uint16_t>(size_of(proposal)));
  writer.u8(proposal.number);
  writer.u8(static_cast<std::uint8_t>(proposal.protocol));
  writer.u8(static_cast<std::uint8_t>(proposal.spi.size()));
  writer.u8(static_cast<std::uint8_t>(proposal.transforms.size()));
  writer.octets(proposal.spi.octets());
  for (std::size_t i = 0; i < proposal.transforms.size(); ++i) {
    write(writer, proposal.transforms[i], i + 1 == proposal.transforms.size());
  }
}

}  // namespace

ProposalSpi ProposalSpi::esp(std::uint32_t spi) {
  std::array<std::uint8_t, 4> octets{};
  wire::Writer(octets).u32_be(spi);
  return of(octets);
}

ProposalSpi ProposalSpi::ike(Spi spi) {
  std::array<std::uint8_t, 8> octets{};
  wire::Writer(octets).u64_be(spi);
  return of(octets);
}

ProposalSpi ProposalSpi::of(wire::ConstBytes octets) {
  ProposalSpi spi;
  wire::require(octets.size() <= spi.octets_.size());
  std::ranges::copy(octets, spi.octets_.begin());
  spi.size_ = static_cast<std::uint8_t>(octets.size());
  return spi;
}

std::uint64_t ProposalSpi::number() const {
  std::uint64_t value = 0;
  for (const std::uint8_t octet : octets()) value = value << 8 | octet;
  return value;
}

Result<std::vector<Proposal>, ParseFailure> parse_proposals(wire::ConstBytes body) {
  wire::Reader reader(body);
  std::vector<Proposal> proposals;
  std::size_t count = 0;
  int expected = -1;
  if (body.empty()) return fail(ParseError::kProposalLength);
  while (!reader.rest().empty()) {
    if (++count > kMaximumProposals) return fail(ParseError::kTooManyProposals);
    const std::uint8_t last = reader.u8();
    const wire::ConstBytes content = TRY(substructure(reader, kProposalHeader, ParseError::kProposalLength));
    if (last != (reader.rest().empty() ? 0 : kMoreProposals)) return fail(ParseError::kProposalLast);
    Proposal proposal = TRY(read_proposal(content));
    // RFC 7296 3.3.1: each number is one more than the one before; an answer repeats the number it accepts.
    if (proposal.number == 0 || (expected >= 0 && proposal.number != expected))
      return fail(ParseError::kProposalNumber);
    expected = proposal.number + 1;
    if (is_known(proposal.protocol)) proposals.push_back(std::move(proposal));
  }
  return proposals;
}

void append(Chain& chain, std::span<const Proposal> proposals) {
  wire::require(!proposals.empty() && proposals.size() <= kMaximumProposals);
  wire::Writer& writer = chain.begin(PayloadType::kSa);
  for (std::size_t i = 0; i < proposals.size(); ++i) write(writer, proposals[i], i + 1 == proposals.size());
  chain.end();
}

Transform transform(crypto::Encryption encryption, std::uint16_t key_bits) {
  // RFC 7634 2: ChaCha20-Poly1305 has one key length and no attribute.
  const bool fixed = encryption == crypto::Encryption::kChaCha20Poly1305;
  return {TransformType::kEncryption, static_cast<std::uint16_t>(encryption), fixed ? std::uint16_t{0} : key_bits,
          true};
}
Transform transform(crypto::Integrity integrity) {
  return {TransformType::kIntegrity, static_cast<std::uint16_t>(integrity), 0, true};
}
Transform transform(crypto::Prf prf) {
  return {TransformType::kPrf, static_cast<std::uint16_t>(prf), 0, true};
}
Transform transform(crypto::Group group) {
  return {TransformType::kKeyExchange, static_cast<std::uint16_t>(group), 0, true};
}

}  // namespace tunnel::ike
