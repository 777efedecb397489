// The notify types that are sent or understood, under their IANA numbers, with the RFC's names for records.
#pragma once

#include <cstdint>
#include <string_view>

namespace tunnel::ike {

enum class NotifyType : std::uint16_t {
  // Errors, RFC 7296 3.10.1
  kUnsupportedCriticalPayload = 1,
  kInvalidIkeSpi = 4,
  kInvalidMajorVersion = 5,
  kInvalidSyntax = 7,
  kInvalidMessageId = 9,
  kInvalidSpi = 11,
  kNoProposalChosen = 14,
  kInvalidKePayload = 17,
  kAuthenticationFailed = 24,
  kSinglePairRequired = 34,
  kNoAdditionalSas = 35,
  kInternalAddressFailure = 36,
  kFailedCpRequired = 37,
  kTsUnacceptable = 38,
  kInvalidSelectors = 39,
  kUnacceptableAddresses = 40,  // RFC 4555
  kUnexpectedNatDetected = 41,  // RFC 4555
  kTemporaryFailure = 43,
  kChildSaNotFound = 44,
  // Status, RFC 7296 3.10.1
  kInitialContact = 16384,
  kSetWindowSize = 16385,
  kAdditionalTsPossible = 16386,
  kIpcompSupported = 16387,
  kNatDetectionSourceIp = 16388,
  kNatDetectionDestinationIp = 16389,
  kCookie = 16390,
  kUseTransportMode = 16391,
  kHttpCertLookupSupported = 16392,
  kRekeySa = 16393,
  kEspTfcPaddingNotSupported = 16394,
  kNonFirstFragmentsAlso = 16395,
  kMobikeSupported = 16396,  // RFC 4555
  kAdditionalIp4Address = 16397,
  kAdditionalIp6Address = 16398,
  kNoAdditionalAddresses = 16399,
  kUpdateSaAddresses = 16400,
  kCookie2 = 16401,
  kNoNatsAllowed = 16402,
  kMultipleAuthSupported = 16404,  // RFC 4739
  kRedirectSupported = 16406,      // RFC 5685
  kRedirect = 16407,
  kRedirectedFrom = 16408,
  kTicketOpaque = 16409,  // RFC 5723
  kEapOnlyAuthentication = 16417,
  kChildlessIkev2Supported = 16418,  // RFC 6023
  kMessageIdSyncSupported = 16420,   // RFC 6311: never announced here
  kIkev2MessageIdSync = 16422,
  kFragmentationSupported = 16430,   // RFC 7383
  kSignatureHashAlgorithms = 16431,  // RFC 7427
  kUsePpk = 16435,                   // RFC 8784
  kPpkIdentity = 16436,
  kNoPpkAuth = 16437,
  kIntermediateExchangeSupported = 16438,  // RFC 9242
};

// RFC 7296 3.10.1: below 16384 an error, an unknown one fails the request; from there on status, an unknown one is
// ignored.
[[nodiscard]] constexpr bool is_error(NotifyType type) {
  return static_cast<std::uint16_t>(type) < 16384;
}
// "NO_PROPOSAL_CHOSEN"; "unknown" for a number that is not above.
[[nodiscard]] std::string_view name(NotifyType type);

}  // namespace tunnel::ike
