// What the router at the other end of one facility's tunnel must know, taken from the configuration. Addresses of the
// facility are its own (real) ones, those of everybody else as they are seen: what the router itself meets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/gateway_config.h"
#include "tunnel/ike/profile.h"

namespace gateway::router {

using config::value::IpAddress;
using config::value::Prefix;
using config::value::Result;
using config::value::WallTime;

struct Identity {  // "fqdn:gw.example" -> "fqdn", "gw.example"
  std::string kind, text;
};
[[nodiscard]] Identity identity_of(std::string_view text);

// What policy lets somebody open through this tunnel.
struct Flow {
  bool into_facility = false;
  Prefix source, destination;
  config::ServicePort port;
  std::string name, title;        // "karte", "hakodate/images"
  std::optional<WallTime> until;  // of an exchange
  friend bool operator==(const Flow&, const Flow&) = default;
};

struct Facts {
  std::string gateway, facility, title;
  config::TunnelProtocol protocol = config::TunnelProtocol::kIkev2;
  std::vector<IpAddress> gateway_addresses;
  Identity gateway_id, facility_id;
  bool software_client = false;
  std::vector<Prefix> sources;  // outer addresses the facility may come from; empty: any
  bool gateway_begins = false;
  std::vector<config::Network> networks;
  std::vector<Prefix> others;  // everybody the facility's networks talk with through the tunnel, each once
  std::vector<Flow> flows;
  std::uint16_t mtu = 1420;
  bool certificate = false;
  std::string psk_file;          // the name only
  std::string ppk_id, ppk_file;  // RFC 8784; the file's name only
  bool ppk_required = false;
  tunnel::ike::Profile profile;  // as it stands at `now`, exceptions included
  std::vector<config::AlgorithmException> exceptions;
  std::optional<config::Exception> wireguard_exception;
  std::uint16_t wireguard_port = 0;
  bool wireguard_psk = false;
};

// The error is a sentence for a person: no such facility ("did you mean" is the caller's), nothing is permitted to it.
[[nodiscard]] Result<Facts, std::string> facts_of(const config::GatewayConfig& config, std::string_view facility,
                                                  WallTime now);

}  // namespace gateway::router
