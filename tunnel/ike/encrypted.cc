// RFC 7296 3.14; associated data by RFC 5282 5.1 and RFC 7383 2.5.1: everything from the header to the IV.
#include "tunnel/ike/encrypted.h"

#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

std::unexpected<ParseFailure> fail(ParseError error) {
  return std::unexpected(ParseFailure{error});
}

// Content, padding and the pad length octet fill whole blocks.
std::size_t padding(const crypto::CipherSuite& suite, std::size_t content_size) {
  const std::size_t block = crypto::block_size(suite);
  return (block - (content_size + 1) % block) % block;
}

std::size_t body_size(const crypto::CipherSuite& suite, std::size_t content_size, bool fragment) {
  return (fragment ? kFragmentHeaderSize : 0) + crypto::explicit_iv_size(suite) + content_size +
         padding(suite, content_size) + 1 + crypto::tag_size(suite);
}

void fill_iv(wire::Bytes iv, SendingCipher& sender, crypto::Rng& rng) {
  if (sender.cipher.suite().encryption == crypto::Encryption::kAesCbc) return rng.fill(iv);
  wire::require(sender.sealed != UINT64_MAX);
  wire::Writer(iv).u64_be(sender.sealed++);
}

void write_generic_header(wire::Writer& writer, PayloadType next, std::size_t size) {
  wire::require(size <= UINT16_MAX);
  writer.u8(static_cast<std::uint8_t>(next));
  writer.u8(0);
  writer.u16_be(static_cast<std::uint16_t>(size));
}

bool is_encrypted(PayloadType type) {
  return type == PayloadType::kEncrypted || type == PayloadType::kEncryptedFragment;
}

FragmentHeader read_fragment_header(wire::Reader& reader) {
  const std::uint16_t number = reader.u16_be();
  return {number, reader.u16_be()};
}

}  // namespace

std::size_t sealed_size(const crypto::CipherSuite& suite, std::size_t content_size, bool fragment) {
  return kHeaderSize + kGenericHeaderSize + body_size(suite, content_size, fragment);
}

wire::ConstBytes seal(wire::Writer& writer, Header header, const Content& content,
                      const std::optional<FragmentHeader>& fragment, SendingCipher& sender, crypto::Rng& rng) {
  const crypto::CipherSuite& suite = sender.cipher.suite();
  const std::size_t body = body_size(suite, content.octets.size(), fragment.has_value());
  const std::size_t start = writer.size();
  header.next_payload = fragment ? PayloadType::kEncryptedFragment : PayloadType::kEncrypted;
  header.length = static_cast<std::uint32_t>(kHeaderSize + kGenericHeaderSize + body);
  write_header(writer.reserve(kHeaderSize).first<kHeaderSize>(), header);
  write_generic_header(writer, content.first, kGenericHeaderSize + body);
  if (fragment) {
    writer.u16_be(fragment->number);
    writer.u16_be(fragment->total);
  }
  const wire::ConstBytes before = writer.written().subspan(start);
  const wire::Bytes iv = writer.reserve(crypto::explicit_iv_size(suite));
  fill_iv(iv, sender, rng);
  const std::size_t text_start = writer.size();
  writer.octets(content.octets);
  writer.zeros(padding(suite, content.octets.size()));
  writer.u8(static_cast<std::uint8_t>(padding(suite, content.octets.size())));
  writer.zeros(crypto::tag_size(suite));
  sender.cipher.seal(iv, {before, {}}, writer.written().subspan(text_start));
  return writer.written().subspan(start);
}

Result<Opened, ParseFailure> open(wire::Bytes datagram, const Payloads& payloads, crypto::PacketCipher& cipher) {
  // RFC 7296 2.14: with keys, nothing outside SK is of use; we never send it and do not look at it.
  if (payloads.size() != 1 || !is_encrypted(payloads[0].type)) return fail(ParseError::kNotProtected);
  const Payload& payload = payloads[0];
  wire::require(payload.offset + payload.body.size() == datagram.size());
  const bool is_fragment = payload.type == PayloadType::kEncryptedFragment;
  wire::Reader reader(payload.body);
  Opened opened;
  if (is_fragment) opened.fragment = read_fragment_header(reader);
  const wire::ConstBytes iv = reader.take(crypto::explicit_iv_size(cipher.suite()));
  const std::size_t tag = crypto::tag_size(cipher.suite());
  if (!reader.good() || reader.rest().size() < tag) return fail(ParseError::kIntegrity);
  const wire::Bytes text_and_tag = datagram.last(reader.rest().size());
  const wire::ConstBytes before = datagram.first(payload.offset + (is_fragment ? kFragmentHeaderSize : 0));
  if (!cipher.open(iv, {before, {}}, text_and_tag)) return fail(ParseError::kIntegrity);
  // RFC 7296 3.14: any padding octets are accepted, of any length that fits.
  const wire::ConstBytes text = text_and_tag.first(text_and_tag.size() - tag);
  if (text.empty() || text.back() >= text.size()) return fail(ParseError::kPadding);
  opened.content = {payload.next, text.first(text.size() - 1 - text.back())};
  return opened;
}

std::optional<FragmentHeader> peek_fragment(const Payloads& payloads) {
  if (payloads.size() != 1 || payloads[0].type != PayloadType::kEncryptedFragment) return std::nullopt;
  wire::Reader reader(payloads[0].body);
  const FragmentHeader header = read_fragment_header(reader);
  return reader.good() ? std::optional(header) : std::nullopt;
}

}  // namespace tunnel::ike
