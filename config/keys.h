// Every key the configuration knows, object by object, under the names the JSON Schema gives them ($defs; a test
// compares the two). ObjectReader refuses to read a key that is not in its list.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace config {

struct KeyList {
  std::string_view object;  // name in the schema's $defs; "" is the main file
  std::span<const std::string_view> keys;
};

namespace keys {
inline constexpr std::string_view kMainKeys[] = {"$schema",   "gateway",          "services", "facilities",
                                                 "exchanges", "inside_may_reach", "tests",    "include"};
inline constexpr std::string_view kGatewayKeys[] = {"name",          "outside", "inside",     "crypto_profile",
                                                    "wireguard",     "ikev2",   "tunnel_mtu", "unused_after_days",
                                                    "seen_as_pools", "records", "offloads",   "live"};
inline constexpr std::string_view kOutsideKeys[] = {"interface", "addresses"};
inline constexpr std::string_view kInsideKeys[] = {"interface", "via"};
inline constexpr std::string_view kListenerKeys[] = {"private_key_file", "port"};
inline constexpr std::string_view kRecordsKeys[] = {"budget_mib", "keep_free_mib", "file_mib",
                                                    "flow_records_per_second"};
inline constexpr std::string_view kOffloadsKeys[] = {"tun_tcp", "tun_udp", "udp_segment", "udp_gro"};
inline constexpr std::string_view kLiveKeys[] = {"every_seconds", "repair"};
inline constexpr std::string_view kServiceKeys[] = {"title", "addresses", "ports"};
inline constexpr std::string_view kFacilityKeys[] = {"title",   "role",   "software_client", "networks",
                                                     "may_use", "offers", "tunnel"};
inline constexpr std::string_view kNetworkKeys[] = {"real", "seen_as"};
inline constexpr std::string_view kOfferKeys[] = {"title", "addresses", "ports"};
inline constexpr std::string_view kIkev2GatewayKeys[] = {"local_id", "certificate_file", "private_key_file"};
inline constexpr std::string_view kTunnelKeys[] = {"protocol",
                                                   "public_key",
                                                   "preshared_key_file",
                                                   "endpoint",
                                                   "persistent_keepalive_seconds",
                                                   "exception",
                                                   "remote_id",
                                                   "authentication",
                                                   "local_id",
                                                   "encapsulation",
                                                   "ppk",
                                                   "source",
                                                   "mtu",
                                                   "algorithm_exceptions"};
inline constexpr std::string_view kExceptionKeys[] = {"reason", "approved_by", "until"};
inline constexpr std::string_view kAuthenticationKeys[] = {"psk_file", "certificate_authority_file",
                                                           "revocation_list_file", "revocation", "list_grace_days"};
inline constexpr std::string_view kPpkKeys[] = {"id", "file", "required"};
inline constexpr std::string_view kAlgorithmExceptionKeys[] = {"algorithm", "reason", "approved_by", "until"};
inline constexpr std::string_view kExchangeKeys[] = {"from", "to", "offer", "reason", "until"};
inline constexpr std::string_view kInsideMayReachKeys[] = {"service", "facility", "offer"};
inline constexpr std::string_view kTestKeys[] = {"from", "to", "address", "port", "expect"};

inline constexpr KeyList kMain{"", kMainKeys};
inline constexpr KeyList kGateway{"gateway", kGatewayKeys};
inline constexpr KeyList kOutside{"outside", kOutsideKeys};
inline constexpr KeyList kInside{"inside", kInsideKeys};
inline constexpr KeyList kListener{"wireguard_listener", kListenerKeys};
inline constexpr KeyList kRecords{"records", kRecordsKeys};
inline constexpr KeyList kOffloads{"offloads", kOffloadsKeys};
inline constexpr KeyList kLive{"live", kLiveKeys};
inline constexpr KeyList kService{"service", kServiceKeys};
inline constexpr KeyList kFacility{"facility", kFacilityKeys};
inline constexpr KeyList kNetwork{"translated_network", kNetworkKeys};
inline constexpr KeyList kOffer{"offer", kOfferKeys};
inline constexpr KeyList kTunnel{"tunnel", kTunnelKeys};
inline constexpr KeyList kException{"exception", kExceptionKeys};
inline constexpr KeyList kAuthentication{"authentication", kAuthenticationKeys};
inline constexpr KeyList kIkev2Gateway{"ikev2_gateway", kIkev2GatewayKeys};
inline constexpr KeyList kPpk{"ppk", kPpkKeys};
inline constexpr KeyList kAlgorithmException{"algorithm_exception", kAlgorithmExceptionKeys};
inline constexpr KeyList kExchange{"exchange", kExchangeKeys};
inline constexpr KeyList kInsideMayReach{"inside_may_reach", kInsideMayReachKeys};
inline constexpr KeyList kTest{"test", kTestKeys};

inline constexpr std::array kAll{
    kMain,     kGateway,        kOutside,   kInside,         kListener, kIkev2Gateway,
    kRecords,  kOffloads,       kLive,      kService,        kFacility, kNetwork,
    kOffer,    kTunnel,         kException, kAuthentication, kPpk,      kAlgorithmException,
    kExchange, kInsideMayReach, kTest};
}  // namespace keys
}  // namespace config
