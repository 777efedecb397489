// The words, the sections and the answers of ParseError in one table.
#include "tunnel/ike/message.h"

namespace tunnel::ike {
namespace {

enum class Answer : std::uint8_t { kSilence, kSyntax, kVersion, kCritical };

struct Row {
  ParseError error;
  ErrorText text;
  Answer answer;
};

using enum Answer;
using enum ParseError;

// RFC 7296 2.21: what cannot be authenticated is dropped; what was authenticated and is malformed is answered with
// INVALID_SYNTAX. In the order of the enum.
constexpr auto kRows = std::to_array<Row>({
    {kHeaderTooShort, {"RFC 7296 3.1", "shorter than an IKE header"}, kSilence},
    {kHeaderLength, {"RFC 7296 3.1", "the header's length is not the datagram's"}, kSilence},
    {kMajorVersion, {"RFC 7296 2.5", "major version above 2"}, kVersion},
    {kOldVersion, {"RFC 7296 2.5", "IKEv1 or older; this gateway speaks IKEv2 only"}, kSilence},
    {kUnknownExchange, {"RFC 7296 3.1", "unknown exchange type"}, kSyntax},
    {kZeroSpi, {"RFC 7296 3.1", "the initiator's SPI is zero"}, kSilence},
    {kResponderSpi, {"RFC 7296 3.1", "the responder's SPI does not fit the exchange"}, kSilence},
    {kMessageId, {"RFC 7296 2.2", "message number or flags do not fit IKE_SA_INIT"}, kSilence},
    {kPayloadTruncated, {"RFC 7296 3.2", "the message ends within a payload's header"}, kSyntax},
    {kPayloadLength, {"RFC 7296 3.2", "a payload's length is below 4 or beyond the end"}, kSyntax},
    {kTrailingOctets, {"RFC 7296 3.2", "octets after the last payload"}, kSyntax},
    {kTooManyPayloads, {"RFC 7296 3.2", "more than 128 payloads"}, kSyntax},
    {kUnsupportedCritical, {"RFC 7296 2.5", "an unknown payload with the critical bit"}, kCritical},
    {kEncryptedNotLast, {"RFC 7296 3.14", "a payload after the Encrypted payload"}, kSilence},
    {kNestedEncrypted, {"RFC 7296 3.14", "an Encrypted payload within another"}, kSyntax},
    {kNotProtected, {"RFC 7296 2.14", "payloads outside the Encrypted payload"}, kSilence},
    {kIntegrity, {"RFC 7296 3.14", "integrity check failed"}, kSilence},
    {kPadding, {"RFC 7296 3.14", "the pad length is beyond the content"}, kSyntax},
    {kFragmentNumber, {"RFC 7383 2.6", "fragment number or total out of range"}, kSilence},
    {kProposalLength, {"RFC 7296 3.3.1", "a proposal's length does not fit"}, kSyntax},
    {kProposalNumber, {"RFC 7296 3.3.1", "proposals are not numbered 1, 2, 3"}, kSyntax},
    {kProposalSpi, {"RFC 7296 3.3.1", "SPI size or value does not fit the protocol"}, kSyntax},
    {kProposalLast, {"RFC 7296 3.3.1", "last-substructure octet contradicts the length"}, kSyntax},
    {kTooManyProposals, {"RFC 7296 3.3", "more than 32 proposals"}, kSyntax},
    {kTransformLength, {"RFC 7296 3.3.2", "a transform's length does not fit"}, kSyntax},
    {kTransformCount, {"RFC 7296 3.3.1", "the number of transforms is not the one announced"}, kSyntax},
    {kTooManyTransforms, {"RFC 7296 3.3.1", "more than 64 transforms in a proposal"}, kSyntax},
    {kAttribute, {"RFC 7296 3.3.5", "a transform attribute's length does not fit"}, kSyntax},
    {kKeyExchange, {"RFC 7296 3.4", "malformed Key Exchange payload"}, kSyntax},
    {kIdentity, {"RFC 7296 3.5", "malformed identity"}, kSyntax},
    {kCertificate, {"RFC 7296 3.6", "malformed certificate payload"}, kSyntax},
    {kAuthentication, {"RFC 7296 3.8", "malformed Authentication payload"}, kSyntax},
    {kNonceLength, {"RFC 7296 3.9", "a nonce has 16 to 256 octets"}, kSyntax},
    {kNotify, {"RFC 7296 3.10", "malformed Notify payload"}, kSyntax},
    {kDelete, {"RFC 7296 3.11", "malformed Delete payload"}, kSyntax},
    {kConfiguration, {"RFC 7296 3.15", "malformed Configuration payload"}, kSyntax},
    {kSelectorLength, {"RFC 7296 3.13.1", "a traffic selector's length does not fit"}, kSyntax},
    {kSelectorRange, {"RFC 7296 3.13.1", "a traffic selector's range runs backwards"}, kSyntax},
    {kMissingPayload, {"RFC 7296 1.2", "a payload this exchange needs is missing"}, kSyntax},
    {kDuplicatePayload, {"RFC 7296 2.21", "a payload came more often than this exchange has it"}, kSyntax},
    {kUnexpectedPayload, {"RFC 7296 2.21", "a payload that has no place in this exchange"}, kSyntax},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].error) != i) return false;
  }
  return kRows.size() == static_cast<std::size_t>(kUnexpectedPayload) + 1;
}
static_assert(in_order());

const Row& row(ParseError error) {
  return kRows[static_cast<std::size_t>(error)];
}

}  // namespace

ErrorText describe(ParseError error) {
  return row(error).text;
}

std::optional<NotifyType> answer_to(ParseError error) {
  switch (row(error).answer) {
    case kSyntax:
      return NotifyType::kInvalidSyntax;
    case kVersion:
      return NotifyType::kInvalidMajorVersion;
    case kCritical:
      return NotifyType::kUnsupportedCriticalPayload;
    case kSilence:
      break;
  }
  return std::nullopt;
}

}  // namespace tunnel::ike
