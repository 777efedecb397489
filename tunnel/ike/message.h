// The IKE header and the chain of payloads (RFC 7296 3.1, 3.2). Views into the datagram; nothing here is decrypted or
// interpreted. Every error is a value with the section it breaks and the notify the RFC answers it with.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "config/value/result.h"
#include "tunnel/ike/notify.h"
#include "tunnel/wire/packet.h"
#include "tunnel/wire/writer.h"

namespace tunnel::ike {

using config::value::Result;
using Spi = std::uint64_t;  // of an IKE SA

inline constexpr std::size_t kHeaderSize = 28;
inline constexpr std::size_t kGenericHeaderSize = 4;
inline constexpr std::size_t kMaximumPayloads = 128;  // a peer with MOBIKE tells each address it has in one

enum class Exchange : std::uint8_t { kSaInit = 34, kAuth = 35, kCreateChildSa = 36, kInformational = 37 };

enum class PayloadType : std::uint8_t {
  kNone = 0,
  kSa = 33,
  kKeyExchange = 34,
  kIdInitiator = 35,
  kIdResponder = 36,
  kCertificate = 37,
  kCertificateRequest = 38,
  kAuthentication = 39,
  kNonce = 40,
  kNotify = 41,
  kDelete = 42,
  kVendor = 43,
  kSelectorsInitiator = 44,
  kSelectorsResponder = 45,
  kEncrypted = 46,
  kConfiguration = 47,
  kEap = 48,                // known, so never an unknown critical one; not supported
  kEncryptedFragment = 53,  // RFC 7383
};

// What is wrong with received octets. `describe` has the words and the section.
enum class ParseError : std::uint8_t {
  kHeaderTooShort,
  kHeaderLength,
  kMajorVersion,     // higher than 2: answered; `octet` is the version received
  kOldVersion,       // IKEv1: not answered
  kUnknownExchange,  // `octet` is the type
  kZeroSpi,
  kResponderSpi,
  kMessageId,
  kPayloadTruncated,
  kPayloadLength,
  kTrailingOctets,
  kTooManyPayloads,
  kUnsupportedCritical,  // `octet` is the payload's type
  kEncryptedNotLast,
  kNestedEncrypted,
  kNotProtected,
  kIntegrity,
  kPadding,
  kFragmentNumber,
  kProposalLength,
  kProposalNumber,
  kProposalSpi,
  kProposalLast,
  kTooManyProposals,
  kTransformLength,
  kTransformCount,
  kTooManyTransforms,
  kAttribute,
  kKeyExchange,
  kIdentity,
  kCertificate,
  kAuthentication,
  kNonceLength,
  kNotify,
  kDelete,
  kConfiguration,
  kSelectorLength,
  kSelectorRange,
  kMissingPayload,     // `octet` is the type that is missing
  kDuplicatePayload,   // `octet` is the type that came too often
  kUnexpectedPayload,  // `octet` is a known type that has no place in this message
};

struct ParseFailure {
  ParseError error = ParseError::kHeaderTooShort;
  std::uint8_t octet = 0;
  friend constexpr bool operator==(const ParseFailure&, const ParseFailure&) = default;
};

struct ErrorText {
  std::string_view section;  // "RFC 7296 3.1"
  std::string_view words;
};
[[nodiscard]] ErrorText describe(ParseError error);
// What a peer that is entitled to an answer is told; nothing: the message is dropped in silence.
[[nodiscard]] std::optional<NotifyType> answer_to(ParseError error);

struct Header {
  Spi initiator_spi = 0;
  Spi responder_spi = 0;
  PayloadType next_payload = PayloadType::kNone;
  std::uint8_t major = 2;
  std::uint8_t minor = 0;
  Exchange exchange = Exchange::kSaInit;
  bool from_initiator = false;  // I flag: sent by the original initiator of this IKE SA
  bool response = false;        // R flag
  std::uint32_t message_id = 0;
  std::uint32_t length = 0;  // of the whole message; write_header's caller may leave it 0 and patch it
};

// The fields as they stand; nothing when there are fewer than 28 octets.
[[nodiscard]] std::optional<Header> read_header(wire::ConstBytes datagram);
// Whether a message of `size` octets may have this header: length, version, exchange, SPIs and message id of
// IKE_SA_INIT. Nothing: fine.
[[nodiscard]] std::optional<ParseFailure> judge(const Header& header, std::size_t size);
void write_header(std::span<std::uint8_t, kHeaderSize> out, const Header& header);

struct Payload {
  PayloadType type = PayloadType::kNone;
  PayloadType next = PayloadType::kNone;  // of SK and SKF: the type of the first payload inside
  std::size_t offset = 0;                 // of the body in the octets that were parsed
  wire::ConstBytes body;                  // without the generic header
};

// The known payloads in their order. Unknown ones without the critical bit are not here (RFC 7296 2.5: skipped).
class Payloads {
 public:
  [[nodiscard]] const Payload* begin() const { return list_.data(); }
  [[nodiscard]] const Payload* end() const { return list_.data() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Payload& operator[](std::size_t index) const { return list_[index]; }
  // The first of this type, or null.
  [[nodiscard]] const Payload* find(PayloadType type) const;
  [[nodiscard]] std::size_t count(PayloadType type) const;

 private:
  friend class ChainReader;
  std::array<Payload, kMaximumPayloads> list_{};
  std::size_t size_ = 0;
};

// Of a whole datagram whose header was judged.
[[nodiscard]] Result<Payloads, ParseFailure> parse_message(wire::ConstBytes datagram, const Header& header);
// Of the decrypted content of SK: `first` is the type its generic header names. SK and SKF are refused here.
[[nodiscard]] Result<Payloads, ParseFailure> parse_inner(PayloadType first, wire::ConstBytes octets);

// Writes one payload after the other; each one's type goes into its predecessor. `begin` ends the one before.
class Chain {
 public:
  explicit Chain(wire::Writer& writer) : writer_(writer) {}
  // The writer to put the body into; the body's length is taken when the payload ends.
  [[nodiscard]] wire::Writer& begin(PayloadType type);
  void end();
  [[nodiscard]] PayloadType first() const { return first_; }

 private:
  wire::Writer& writer_;
  PayloadType first_ = PayloadType::kNone;
  wire::Bytes generic_;  // generic header of the last payload, for the next one's type
  std::size_t body_start_ = 0;
  bool open_ = false;
};

// A message without SK: IKE_SA_INIT, and answers to what belongs to no SA. `finish` puts the first type and the length
// into the header and gives the octets.
class PlainMessage {
 public:
  PlainMessage(wire::Writer& writer, const Header& header);
  [[nodiscard]] Chain& chain() { return chain_; }
  [[nodiscard]] wire::ConstBytes finish();

 private:
  wire::Writer& writer_;
  std::size_t start_;
  Header header_;
  std::span<std::uint8_t, kHeaderSize> head_;
  Chain chain_;
};

}  // namespace tunnel::ike
