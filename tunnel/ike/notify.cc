// RFC 7296 3.10.1: names as the registry has them.
#include "tunnel/ike/notify.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tunnel::ike {
namespace {

using enum NotifyType;
constexpr auto kNames = std::to_array<std::pair<NotifyType, std::string_view>>({
    {kUnsupportedCriticalPayload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    {kInvalidIkeSpi, "INVALID_IKE_SPI"},
    {kInvalidMajorVersion, "INVALID_MAJOR_VERSION"},
    {kInvalidSyntax, "INVALID_SYNTAX"},
    {kInvalidMessageId, "INVALID_MESSAGE_ID"},
    {kInvalidSpi, "INVALID_SPI"},
    {kNoProposalChosen, "NO_PROPOSAL_CHOSEN"},
    {kInvalidKePayload, "INVALID_KE_PAYLOAD"},
    {kAuthenticationFailed, "AUTHENTICATION_FAILED"},
    {kSinglePairRequired, "SINGLE_PAIR_REQUIRED"},
    {kNoAdditionalSas, "NO_ADDITIONAL_SAS"},
    {kInternalAddressFailure, "INTERNAL_ADDRESS_FAILURE"},
    {kFailedCpRequired, "FAILED_CP_REQUIRED"},
    {kTsUnacceptable, "TS_UNACCEPTABLE"},
    {kInvalidSelectors, "INVALID_SELECTORS"},
    {kUnacceptableAddresses, "UNACCEPTABLE_ADDRESSES"},
    {kUnexpectedNatDetected, "UNEXPECTED_NAT_DETECTED"},
    {kTemporaryFailure, "TEMPORARY_FAILURE"},
    {kChildSaNotFound, "CHILD_SA_NOT_FOUND"},
    {kInitialContact, "INITIAL_CONTACT"},
    {kSetWindowSize, "SET_WINDOW_SIZE"},
    {kAdditionalTsPossible, "ADDITIONAL_TS_POSSIBLE"},
    {kIpcompSupported, "IPCOMP_SUPPORTED"},
    {kNatDetectionSourceIp, "NAT_DETECTION_SOURCE_IP"},
    {kNatDetectionDestinationIp, "NAT_DETECTION_DESTINATION_IP"},
    {kCookie, "COOKIE"},
    {kUseTransportMode, "USE_TRANSPORT_MODE"},
    {kHttpCertLookupSupported, "HTTP_CERT_LOOKUP_SUPPORTED"},
    {kRekeySa, "REKEY_SA"},
    {kEspTfcPaddingNotSupported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    {kNonFirstFragmentsAlso, "NON_FIRST_FRAGMENTS_ALSO"},
    {kMobikeSupported, "MOBIKE_SUPPORTED"},
    {kAdditionalIp4Address, "ADDITIONAL_IP4_ADDRESS"},
    {kAdditionalIp6Address, "ADDITIONAL_IP6_ADDRESS"},
    {kNoAdditionalAddresses, "NO_ADDITIONAL_ADDRESSES"},
    {kUpdateSaAddresses, "UPDATE_SA_ADDRESSES"},
    {kCookie2, "COOKIE2"},
    {kNoNatsAllowed, "NO_NATS_ALLOWED"},
    {kMultipleAuthSupported, "MULTIPLE_AUTH_SUPPORTED"},
    {kRedirectSupported, "REDIRECT_SUPPORTED"},
    {kRedirect, "REDIRECT"},
    {kRedirectedFrom, "REDIRECTED_FROM"},
    {kTicketOpaque, "TICKET_OPAQUE"},
    {kEapOnlyAuthentication, "EAP_ONLY_AUTHENTICATION"},
    {kChildlessIkev2Supported, "CHILDLESS_IKEV2_SUPPORTED"},
    {kMessageIdSyncSupported, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED"},
    {kIkev2MessageIdSync, "IKEV2_MESSAGE_ID_SYNC"},
    {kFragmentationSupported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    {kSignatureHashAlgorithms, "SIGNATURE_HASH_ALGORITHMS"},
    {kUsePpk, "USE_PPK"},
    {kPpkIdentity, "PPK_IDENTITY"},
    {kNoPpkAuth, "NO_PPK_AUTH"},
    {kIntermediateExchangeSupported, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
});

}  // namespace

std::string_view name(NotifyType type) {
  const auto found = std::ranges::find(kNames, type, &std::pair<NotifyType, std::string_view>::first);
  return found == kNames.end() ? "unknown" : found->second;
}

}  // namespace tunnel::ike
