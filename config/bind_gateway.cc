// "gateway": the two sides, the listener, the profile.
#include <fmt/format.h>

#include "config/bind.h"
#include "config/limits.h"
#include "config/object_reader.h"
#include "config/text_forms.h"

namespace config {
namespace {

Outside bind_outside(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kOutside, report);
  Outside outside;
  if (const auto name = reader.parsed<InterfaceName>("interface", Presence::kRequired)) outside.interface = name->text;
  outside.interface_at = report.below(node.at, {"interface"});
  outside.addresses_at = report.below(node.at, {"addresses"});
  for (const auto& host : reader.parsed_list<HostAddress>("addresses", kMaxOutside, Presence::kRequired))
    outside.addresses.push_back(host.address);
  return outside;
}

void add_next_hop(const Node& node, Inside& inside, Report& report) {
  const auto hop = parse_text<NextHopAddress>(node, report);
  if (!hop) return;
  for (const auto& other : inside.next_hops) {
    if (other.family() != hop->address.family()) continue;
    report.error(node.at, fmt::format("a second {} router", other.is_v4() ? "IPv4" : "IPv6"),
                 "at most one for each address family");
    return;
  }
  inside.next_hops.push_back(hop->address);
}

Inside bind_inside(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kInside, report);
  Inside inside;
  if (const auto name = reader.parsed<InterfaceName>("interface", Presence::kRequired)) inside.interface = name->text;
  inside.interface_at = report.below(node.at, {"interface"});
  const Node* via = reader.value("via", Presence::kOptional);
  if (via == nullptr) return inside;
  if (via->kind == Kind::kArray) {
    for (const auto& item : via->items) add_next_hop(item, inside, report);
  } else {
    add_next_hop(*via, inside, report);
  }
  return inside;
}

WireguardListener bind_listener(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kListener, report);
  WireguardListener listener;
  if (reader.has("private_key_file")) listener.private_key_file = reader.text("private_key_file", Presence::kOptional);
  if (const auto port = reader.integer("port", {1, 65535}, Presence::kOptional))
    listener.port = static_cast<std::uint16_t>(*port);
  return listener;
}

Ikev2Gateway bind_ikev2(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kIkev2Gateway, report);
  Ikev2Gateway ikev2;
  ikev2.at = node.at;
  if (const auto id = reader.parsed<IkeIdentityText>("local_id", Presence::kOptional)) {
    ikev2.local_id = id->text;
    ikev2.local_id_at = reader.value("local_id", Presence::kOptional)->at;
  }
  if (auto file = reader.text("certificate_file", Presence::kOptional); !file.empty()) ikev2.certificate_file = file;
  if (auto file = reader.text("private_key_file", Presence::kOptional); !file.empty()) ikev2.private_key_file = file;
  if (reader.is_object() && reader.has("certificate_file") != reader.has("private_key_file"))
    report.error(node.at, "\"certificate_file\" and \"private_key_file\" belong together", "write both, or none");
  return ikev2;
}

RecordLimits bind_records(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kRecords, report);
  RecordLimits limits;
  const auto read = [&reader](std::string_view key, IntegerRange range, std::uint32_t& into) {
    if (const auto number = reader.integer(key, range, Presence::kOptional)) into = static_cast<std::uint32_t>(*number);
  };
  constexpr std::int64_t kMostMib = 64 << 20;  // 64 TiB
  read("budget_mib", {1, kMostMib}, limits.budget_mib);
  read("keep_free_mib", {1, kMostMib}, limits.keep_free_mib);
  read("file_mib", {1, kMostMib}, limits.file_mib);
  read("flow_records_per_second", {1, 100'000}, limits.flow_records_per_second);
  return limits;
}

Offloads bind_offloads(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kOffloads, report);
  Offloads offloads;
  offloads.tun_tcp = reader.boolean("tun_tcp", Presence::kOptional).value_or(true);
  offloads.tun_udp = reader.boolean("tun_udp", Presence::kOptional).value_or(true);
  offloads.udp_segment = reader.boolean("udp_segment", Presence::kOptional).value_or(true);
  offloads.udp_gro = reader.boolean("udp_gro", Presence::kOptional).value_or(true);
  return offloads;
}

LiveCheck bind_live(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kLive, report);
  LiveCheck live;
  if (const auto every = reader.integer("every_seconds", {30, 86400}, Presence::kOptional))
    live.every_seconds = static_cast<std::uint32_t>(*every);
  live.repair = reader.boolean("repair", Presence::kOptional).value_or(true);
  return live;
}

}  // namespace

Gateway bind_gateway(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kGateway, report);
  Gateway gateway;
  gateway.at = node.at;
  if (!reader.is_object()) return gateway;
  if (const auto name = reader.parsed<NameText>("name", Presence::kRequired)) gateway.name = name->text;
  if (const Node* outside = reader.value("outside", Presence::kRequired))
    gateway.outside = bind_outside(*outside, report);
  if (const Node* inside = reader.value("inside", Presence::kRequired)) gateway.inside = bind_inside(*inside, report);
  const auto profile = reader.choice("crypto_profile", {"ipsec-strict", "ipsec-compat"}, Presence::kOptional);
  gateway.crypto_profile = profile == 1 ? CryptoProfile::kIpsecCompat : CryptoProfile::kIpsecStrict;
  if (const Node* listener = reader.value("wireguard", Presence::kOptional))
    gateway.wireguard = bind_listener(*listener, report);
  if (const Node* ikev2 = reader.value("ikev2", Presence::kOptional)) gateway.ikev2 = bind_ikev2(*ikev2, report);
  if (const auto mtu = reader.integer("tunnel_mtu", {1280, 9000}, Presence::kOptional))
    gateway.tunnel_mtu = static_cast<std::uint16_t>(*mtu);
  if (const auto days = reader.integer("unused_after_days", {0, 3650}, Presence::kOptional))
    gateway.unused_after_days = static_cast<std::uint32_t>(*days);
  gateway.seen_as_pools = reader.parsed_list<Prefix>("seen_as_pools", kMaxPools, Presence::kOptional);
  if (const Node* records = reader.value("records", Presence::kOptional))
    gateway.records = bind_records(*records, report);
  if (const Node* offloads = reader.value("offloads", Presence::kOptional))
    gateway.offloads = bind_offloads(*offloads, report);
  if (const Node* live = reader.value("live", Presence::kOptional)) gateway.live = bind_live(*live, report);
  if (!gateway.inside.interface.empty() && gateway.inside.interface == gateway.outside.interface)
    report.error(report.below(node.at, {"inside", "interface"}), "inside and outside are the same interface",
                 "the gateway stands between two networks, each with its own interface",
                 {report.below(node.at, {"outside", "interface"})});
  return gateway;
}

}  // namespace config
