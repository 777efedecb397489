// The words, the sections and the answers of ParseError in one table.
#include "tunnel/ike/message.h"

namespace tunnel::ike {
namespace {

enum class Answer : std::uint8_t { kSilence, kSyntax, kVersion, kCritical };

struct Row {
  ErrorText text;
  Answer answer = Answer::kSyntax;
};

// RFC 7296 2.21: what cannot be authenticated is dropped; what was authenticated and is malformed is answered with
// INVALID_SYNTAX.
Row row(ParseError error) {
  switch (error) {
    using enum ParseError;
    case kHeaderTooShort:
      return {{"RFC 7296 3.1", "shorter than an IKE header"}, Answer::kSilence};
    case kHeaderLength:
      return {{"RFC 7296 3.1", "the header's length is not the datagram's"}, Answer::kSilence};
    case kMajorVersion:
      return {{"RFC 7296 2.5", "major version above 2"}, Answer::kVersion};
    case kOldVersion:
      return {{"RFC 7296 2.5", "IKEv1 or older; this gateway speaks IKEv2 only"}, Answer::kSilence};
    case kUnknownExchange:
      return {{"RFC 7296 3.1", "unknown exchange type"}};
    case kZeroSpi:
      return {{"RFC 7296 3.1", "the initiator's SPI is zero"}, Answer::kSilence};
    case kResponderSpi:
      return {{"RFC 7296 3.1", "the responder's SPI does not fit the exchange"}, Answer::kSilence};
    case kMessageId:
      return {{"RFC 7296 2.2", "message number or flags do not fit IKE_SA_INIT"}, Answer::kSilence};
    case kPayloadTruncated:
      return {{"RFC 7296 3.2", "the message ends within a payload's header"}};
    case kPayloadLength:
      return {{"RFC 7296 3.2", "a payload's length is below 4 or beyond the end"}};
    case kTrailingOctets:
      return {{"RFC 7296 3.2", "octets after the last payload"}};
    case kTooManyPayloads:
      return {{"RFC 7296 3.2", "more than 32 payloads"}};
    case kUnsupportedCritical:
      return {{"RFC 7296 2.5", "an unknown payload with the critical bit"}, Answer::kCritical};
    case kEncryptedNotLast:
      return {{"RFC 7296 3.14", "a payload after the Encrypted payload"}, Answer::kSilence};
    case kNestedEncrypted:
      return {{"RFC 7296 3.14", "an Encrypted payload within another"}};
    case kNotProtected:
      return {{"RFC 7296 2.14", "payloads outside the Encrypted payload"}, Answer::kSilence};
    case kIntegrity:
      return {{"RFC 7296 3.14", "integrity check failed"}, Answer::kSilence};
    case kPadding:
      return {{"RFC 7296 3.14", "the pad length is beyond the content"}};
    case kFragmentNumber:
      return {{"RFC 7383 2.6", "fragment number or total out of range"}, Answer::kSilence};
    case kProposalLength:
      return {{"RFC 7296 3.3.1", "a proposal's length does not fit"}};
    case kProposalNumber:
      return {{"RFC 7296 3.3.1", "proposals are not numbered 1, 2, 3"}};
    case kProposalSpi:
      return {{"RFC 7296 3.3.1", "SPI size or value does not fit the protocol"}};
    case kProposalLast:
      return {{"RFC 7296 3.3.1", "last-substructure octet contradicts the length"}};
    case kTooManyProposals:
      return {{"RFC 7296 3.3", "more than 32 proposals"}};
    case kTransformLength:
      return {{"RFC 7296 3.3.2", "a transform's length does not fit"}};
    case kTransformCount:
      return {{"RFC 7296 3.3.1", "the number of transforms is not the one announced"}};
    case kTooManyTransforms:
      return {{"RFC 7296 3.3.1", "more than 64 transforms in a proposal"}};
    case kAttribute:
      return {{"RFC 7296 3.3.5", "a transform attribute's length does not fit"}};
    case kKeyExchange:
      return {{"RFC 7296 3.4", "malformed Key Exchange payload"}};
    case kIdentity:
      return {{"RFC 7296 3.5", "malformed identity"}};
    case kCertificate:
      return {{"RFC 7296 3.6", "malformed certificate payload"}};
    case kAuthentication:
      return {{"RFC 7296 3.8", "malformed Authentication payload"}};
    case kNonceLength:
      return {{"RFC 7296 3.9", "a nonce has 16 to 256 octets"}};
    case kNotify:
      return {{"RFC 7296 3.10", "malformed Notify payload"}};
    case kDelete:
      return {{"RFC 7296 3.11", "malformed Delete payload"}};
    case kConfiguration:
      return {{"RFC 7296 3.15", "malformed Configuration payload"}};
    case kSelectorLength:
      return {{"RFC 7296 3.13.1", "a traffic selector's length does not fit"}};
    case kSelectorRange:
      return {{"RFC 7296 3.13.1", "a traffic selector's range runs backwards"}};
    case kTooManySelectors:
      return {{"RFC 7296 3.13", "more than 32 traffic selectors"}};
    case kMissingPayload:
      return {{"RFC 7296 1.2", "a payload this exchange needs is missing"}};
    case kDuplicatePayload:
      return {{"RFC 7296 2.21", "a payload came more often than this exchange has it"}};
    case kUnexpectedPayload:
      return {{"RFC 7296 2.21", "a payload that has no place in this exchange"}};
  }
  return {};
}

}  // namespace

ErrorText describe(ParseError error) {
  return row(error).text;
}

std::optional<NotifyType> answer_to(ParseError error) {
  switch (row(error).answer) {
    case Answer::kSyntax:
      return NotifyType::kInvalidSyntax;
    case Answer::kVersion:
      return NotifyType::kInvalidMajorVersion;
    case Answer::kCritical:
      return NotifyType::kUnsupportedCriticalPayload;
    case Answer::kSilence:
      break;
  }
  return std::nullopt;
}

}  // namespace tunnel::ike
