// The compiled, comparable result of a configuration: who may open what to whom, in addresses everybody sees
// (prefix translation already applied), the tunnels, and the routes that carry it. Sorted, so equal meaning = equal
// value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/gateway_config.h"

namespace policy {

using config::value::FacilityName;
using config::value::IpAddress;
using config::value::Prefix;
using config::value::RuleId;
using config::value::ServicePort;
using config::value::SocketAddress;
using config::value::WallTime;

struct NetworkMap {
  Prefix real;
  Prefix seen;  // == real when nothing is translated
  friend auto operator<=>(const NetworkMap&, const NetworkMap&) = default;
};

struct WireguardPeer {
  std::string public_key;     // base64
  std::string preshared_key;  // name of the key at keyd (= path in the configuration); empty: none
  std::optional<SocketAddress> endpoint;
  std::uint16_t persistent_keepalive_seconds = 0;  // 0: off
  friend auto operator<=>(const WireguardPeer&, const WireguardPeer&) = default;
};

struct AlgorithmException {
  std::string algorithm;  // as the configuration names it
  WallTime until;
  friend auto operator<=>(const AlgorithmException&, const AlgorithmException&) = default;
};

// Identities in the configuration's text form ("fqdn:..."). Certificates and lists are names of files: their octets
// travel beside the plan, so that a list that is renewed is no other plan.
struct IkePeer {
  std::string local_id, remote_id;
  std::string preshared_key;   // name at keyd; empty: certificates
  std::string authority_file;  // empty: a preshared key
  std::string revocation_list_file;
  config::RevocationCheck revocation = config::RevocationCheck::kRequired;
  std::uint16_t list_grace_days = 0;
  std::optional<IpAddress> endpoint;  // where we begin; none: we only answer
  bool always_in_udp = false;         // ESP in UDP 4500 also without a NAT
  std::string ppk_id, ppk;            // RFC 8784: its identity and its name at keyd; empty: none
  bool ppk_required = true;
  std::vector<AlgorithmException> exceptions;
  friend auto operator<=>(const IkePeer&, const IkePeer&) = default;
};

struct FacilityPlan {
  FacilityName name;
  std::string title;
  std::vector<NetworkMap> networks;
  std::vector<Prefix> sources;  // outer addresses it may come from; empty: any
  std::uint16_t mtu = 1420;
  WireguardPeer wireguard;  // its public key is empty when `ike` is there
  std::optional<IkePeer> ike{};
  // Cut off by order (isolation.h): it keeps its networks, so that nothing for them goes another way, and has no
  // tunnel.
  bool isolated = false;
  friend auto operator<=>(const FacilityPlan&, const FacilityPlan&) = default;
};

enum class PermissionKind : std::uint8_t {
  kService,   // facility -> service
  kExchange,  // facility -> another facility's offer
  kInside,    // service host -> a facility's offer
};

// One line of permission: `source` may OPEN flows to `destination`; answers along such a flow come back, nothing else.
struct Permission {
  RuleId rule;
  PermissionKind kind = PermissionKind::kService;
  FacilityName from_facility;  // empty text: from inside
  FacilityName to_facility;    // empty text: to inside
  Prefix source;               // seen addresses
  Prefix destination;          // seen addresses; one family with source
  ServicePort port;
  std::optional<WallTime> until;  // exchanges: not valid from then on
  std::string name;               // "karte", "hakodate/images": for records and people
  std::string origin;             // "facilities.hakodate.may_use[0] (sekisho.json:14:18)"
  friend auto operator<=>(const Permission&, const Permission&) = default;
};

enum class RouteTable : std::uint32_t {
  kFromTunnels = 7101,    // service prefixes only, ends in unreachable
  kToFacilities = 7102,   // facility prefixes towards sekisho0; only packets from inside and the gateway's own probes
  kExchange = 7103,       // facilities that offer something in an exchange; chosen by mark
  kOwnToServices = 7104,  // service prefixes, no default; for the gateway's own packets
};
[[nodiscard]] constexpr bool is_route_table(std::uint64_t number) {
  return number >= 7101 && number <= 7104;
}

struct Route {
  RouteTable table = RouteTable::kFromTunnels;
  Prefix destination;
  std::string interface;  // empty: unreachable
  std::optional<IpAddress> via;
  std::uint16_t mtu = 0;  // largest packet the kernel sends this way whole; 0: what the interface takes
  friend auto operator<=>(const Route&, const Route&) = default;
};

// `ip rule`: both families are always meant.
struct RoutingRule {
  std::uint32_t priority = 0;
  std::string incoming_interface;  // empty: any
  std::uint32_t mark = 0;          // 0: any
  RouteTable table = RouteTable::kFromTunnels;
  bool prohibit = false;  // instead of the look-up
  friend auto operator<=>(const RoutingRule&, const RoutingRule&) = default;
};

inline constexpr std::uint32_t kExchangeMark = 0x80000000;  // packet mark that selects RouteTable::kExchange
inline constexpr const char* kTunnelInterface = "sekisho0";

struct Plan {
  std::string gateway_name;
  std::string outside_interface;
  std::vector<IpAddress> outside_addresses;
  std::uint16_t wireguard_port = 51820;  // 0: no facility has WireGuard, and no port is opened for it
  std::string gateway_key;               // name of the private key at keyd; empty when the port is 0
  bool ikev2 = false;                    // UDP 500, UDP 4500 and protocol 50 are open
  config::CryptoProfile crypto_profile = config::CryptoProfile::kIpsecStrict;
  std::string certificate_file, signing_key;  // of the gateway: file of the chain, name of the private key at keyd
  std::string inside_interface;
  std::uint16_t tunnel_mtu = 1420;
  config::Offloads offloads;
  config::LiveCheck live;
  std::vector<FacilityPlan> facilities;  // by name
  std::vector<Permission> permissions;   // by their own order
  std::vector<Route> routes;
  std::vector<RoutingRule> rules;
  friend bool operator==(const Plan&, const Plan&) = default;
};

// The plan, or one in which nothing is: where nothing runs.
[[nodiscard]] inline const Plan& or_none(const Plan* plan) {
  static const Plan kNone;
  return plan == nullptr ? kNone : *plan;
}

}  // namespace policy
