// The configuration as typed values, exactly what the files say (design 9), each with the place it was written.
// No defaults of policy here beyond what the schema documents; no file is read here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/value/address.h"
#include "config/value/ids.h"
#include "config/value/instant.h"
#include "config/value/port.h"

namespace config {

using value::FacilityName;
using value::IpAddress;
using value::OfferName;
using value::Prefix;
using value::ServiceName;
using value::ServicePort;
using value::SocketAddress;
using value::WallTime;

// Where something stands. `file` indexes GatewayConfig::files; line and column count from 1, column in bytes.
struct Position {
  std::uint32_t file = 0;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

enum class CryptoProfile : std::uint8_t { kIpsecStrict, kIpsecCompat };

struct Outside {
  std::string interface;             // <= 15 characters
  std::vector<IpAddress> addresses;  // where tunnels are answered; at least one
  Position interface_at, addresses_at;
};

struct Inside {
  std::string interface;
  std::vector<IpAddress> next_hops;  // router towards the services, at most one per family; empty: services are on-link
  Position interface_at;
};

struct WireguardListener {
  std::string private_key_file = "keys/gateway.key";  // relative to the directory of the main file
  std::uint16_t port = 51820;
};

// This gateway as an end of IKEv2 (RFC 7296). Key and certificate: both, or none when every facility has a preshared
// key.
struct Ikev2Gateway {
  std::string local_id;  // "fqdn:gw.example"; empty: "ip:" and the first outside address
  std::optional<std::string> certificate_file, private_key_file;  // PEM; the certificate first, then its chain
  Position at, local_id_at;
};

// What may be put on record singly. Beyond it flows are only summed; decisions are recorded all the same.
struct RecordLimits {
  std::uint32_t budget_mib = 32'768;           // all record files together
  std::uint32_t keep_free_mib = 256;           // of the disk they lie on
  std::uint32_t file_mib = 256;                // then a new file is begun
  std::uint32_t flow_records_per_second = 50;  // of one facility, as a mean; an hour's worth may come at once
  friend bool operator==(const RecordLimits&, const RecordLimits&) = default;
};

// What the kernel may carry many packets at once with, where it can; each can be forbidden (docs/decisions/0007).
struct Offloads {
  bool tun_tcp = true, tun_udp = true;      // super-packets across the TUN: TSO, USO
  bool udp_segment = true, udp_gro = true;  // several datagrams of a tunnel in one message: sent, received
  friend bool operator==(const Offloads&, const Offloads&) = default;
};

inline constexpr std::uint32_t kUnusedAfterDays = 90;

// How often what is really installed is read back and proved again (docs/decisions/0014), and what is done about a
// difference.
struct LiveCheck {
  std::uint32_t every_seconds = 600;  // 30..86400
  bool repair = true;                 // false: left as it is, and told
  friend bool operator==(const LiveCheck&, const LiveCheck&) = default;
};

struct Gateway {
  std::string name;
  Outside outside;
  Inside inside;
  CryptoProfile crypto_profile = CryptoProfile::kIpsecStrict;
  WireguardListener wireguard;
  Ikev2Gateway ikev2;
  std::uint16_t tunnel_mtu = 1420;                     // inner MTU of sekisho0; 1280..9000
  std::uint32_t unused_after_days = kUnusedAfterDays;  // a permission nobody used so long is warned of; 0: never
  std::vector<Prefix> seen_as_pools;  // where `facility suggest-prefix` looks; nothing else follows from it
  RecordLimits records;
  Offloads offloads;
  LiveCheck live;
  Position at;
};

struct Service {
  ServiceName name;
  std::string title;  // for people, often Japanese
  std::vector<IpAddress> addresses;
  std::vector<ServicePort> ports;
  Position at;
};

enum class Role : std::uint8_t { kDisclosing, kViewing };

struct Network {
  Prefix real;     // as the facility itself numbers it
  Prefix seen_as;  // as everybody else sees it; the same prefix when there is no collision. One length.
  Position at;
};

struct Offer {
  OfferName name;
  std::string title;
  std::vector<IpAddress> addresses;  // real addresses, inside the facility's `real` networks
  std::vector<ServicePort> ports;
  Position at;
};

// Why a tunnel outside the accepted line types is allowed (requirements 0.4).
struct Exception {
  std::string reason;
  std::string approved_by;
  WallTime until;  // end of that day, in the gateway's time zone (Asia/Tokyo unless configured)
  Position at;
};

struct WireguardTunnel {
  std::string public_key;  // 44 characters of base64, checked
  std::optional<std::string> preshared_key_file;
  std::optional<SocketAddress> endpoint;  // absent: the peer calls, we answer
  std::optional<std::uint16_t> persistent_keepalive_seconds;
  std::optional<Exception> exception;
};

// An algorithm outside the gateway's crypto profile for one facility. Its name is a row of tunnel/ike/algorithms.cc,
// which gateway/core looks up: this floor does not know them.
struct AlgorithmException {
  std::string algorithm;  // "MODP-2048"
  Exception why;
  Position at;
};

enum class RevocationCheck : std::uint8_t { kRequired, kWhereListed, kNotChecked };
enum class Encapsulation : std::uint8_t { kAuto, kUdp };  // kUdp: ESP in UDP 4500 also when there is no NAT (RFC 3948)

struct CertificateAuthentication {
  std::string authority_file;                       // PEM: whoever it issued a certificate for `remote_id`
  std::optional<std::string> revocation_list_file;  // PEM or DER
  RevocationCheck revocation = RevocationCheck::kRequired;
  std::uint16_t list_grace_days = 0;  // how long a list is believed after its next update
};

struct PostquantumKey {  // RFC 8784
  std::string id;
  std::string file;
  bool required = true;
};

struct Ikev2Tunnel {
  std::string remote_id;                // "fqdn:rtx.hakodate.example"
  std::optional<std::string> local_id;  // instead of the gateway's
  std::optional<std::string> psk_file;
  std::optional<CertificateAuthentication> certificate;  // exactly one of the two
  std::optional<IpAddress> endpoint;                     // absent: the peer calls, we answer
  Encapsulation encapsulation = Encapsulation::kAuto;
  std::optional<PostquantumKey> ppk;
  std::vector<AlgorithmException> algorithm_exceptions;
  Position remote_id_at, local_id_at;
};

enum class TunnelProtocol : std::uint8_t { kWireguard, kIkev2 };

struct Tunnel {
  TunnelProtocol protocol = TunnelProtocol::kIkev2;
  WireguardTunnel wireguard;
  Ikev2Tunnel ikev2;
  std::vector<Prefix> sources;  // outer addresses the peer may come from; empty: any (a warning)
  std::optional<std::uint16_t> mtu;
  Position at;
};

struct Facility {
  FacilityName name;
  std::string title;
  Role role = Role::kViewing;
  bool software_client = false;  // one machine with a tunnel of its own (check_clients.cc), not a site behind a router
  std::vector<Network> networks;
  std::vector<ServiceName> may_use;
  std::vector<Position> may_use_at;  // one for each of may_use
  std::vector<Offer> offers;
  Tunnel tunnel;
  Position at;
};

struct Exchange {
  FacilityName from;
  FacilityName to;
  OfferName offer;
  std::string reason;
  WallTime until;
  Position at;
};

struct InsideMayReach {
  ServiceName service;
  FacilityName facility;
  OfferName offer;
  Position at;
};

enum class Expectation : std::uint8_t { kAllow, kDeny };

// A policy test: may `from` open `port` at `to` (a service, or a facility's `address`)?
struct PolicyTest {
  std::string from;  // a facility, or "inside:SERVICE"
  std::string to;    // a service, a facility, or "outside"
  std::optional<IpAddress> address;
  ServicePort port;
  Expectation expect = Expectation::kDeny;
  Position at;
};

struct GatewayConfig {
  std::vector<std::string> files;  // index = Position::file; [0] is the main file
  Gateway gateway;
  std::vector<Service> services;  // sorted by name, as are facilities and their offers
  std::vector<Facility> facilities;
  std::vector<Exchange> exchanges;
  std::vector<InsideMayReach> inside_may_reach;
  std::vector<PolicyTest> tests;
};

// What no facility uses is not opened; as long as there is none, WireGuard's listener is.
[[nodiscard]] inline bool has_tunnel(const GatewayConfig& config, TunnelProtocol protocol) {
  for (const Facility& facility : config.facilities)
    if (facility.tunnel.protocol == protocol) return true;
  return false;
}
[[nodiscard]] inline bool has_wireguard(const GatewayConfig& config) {
  return config.facilities.empty() || has_tunnel(config, TunnelProtocol::kWireguard);
}
[[nodiscard]] inline bool has_ikev2(const GatewayConfig& config) {
  return has_tunnel(config, TunnelProtocol::kIkev2);
}

}  // namespace config
