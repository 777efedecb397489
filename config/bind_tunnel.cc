// "tunnel" of a facility: the keys of its protocol, and only those.
#include <fmt/format.h>

#include "config/bind.h"
#include "config/limits.h"
#include "config/object_reader.h"
#include "config/text_forms.h"

namespace config {
namespace {

Exception bind_exception(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kException, report);
  Exception exception;
  exception.at = node.at;
  exception.reason = reader.text("reason", Presence::kRequired);
  exception.approved_by = reader.text("approved_by", Presence::kRequired);
  const auto until = reader.parsed<EndDate>("until", Presence::kRequired);
  exception.until = until ? until->end : WallTime::max();
  return exception;
}

void refuse_foreign_keys(const ObjectReader& reader, std::string_view protocol,
                         std::initializer_list<std::string_view> foreign, Report& report) {
  for (const auto key : foreign)
    if (reader.has(key))
      report.error(report.below(reader.at(), {key}),
                   fmt::format("\"{}\" does not belong to a tunnel with protocol \"{}\"", key, protocol));
}

WireguardTunnel bind_wireguard(ObjectReader& reader, Report& report) {
  refuse_foreign_keys(reader, "wireguard", {"remote_id", "authentication"}, report);
  WireguardTunnel tunnel;
  if (const auto key = reader.parsed<PublicKeyText>("public_key", Presence::kRequired)) tunnel.public_key = key->text;
  if (auto file = reader.text("preshared_key_file", Presence::kOptional); !file.empty())
    tunnel.preshared_key_file = std::move(file);
  tunnel.endpoint = reader.parsed<SocketAddress>("endpoint", Presence::kOptional);
  if (tunnel.endpoint) {
    const auto usable = HostAddress::parse(tunnel.endpoint->address.to_string());
    if (!usable) report.error(report.below(reader.at(), {"endpoint"}), usable.error());
  }
  if (const auto seconds = reader.integer("persistent_keepalive_seconds", {1, 65535}, Presence::kOptional))
    tunnel.persistent_keepalive_seconds = static_cast<std::uint16_t>(*seconds);
  if (const Node* exception = reader.value("exception", Presence::kOptional))
    tunnel.exception = bind_exception(*exception, report);
  return tunnel;
}

Ikev2Tunnel bind_ikev2(ObjectReader& reader, Report& report) {
  refuse_foreign_keys(reader, "ikev2",
                      {"public_key", "preshared_key_file", "endpoint", "persistent_keepalive_seconds", "exception"},
                      report);
  Ikev2Tunnel tunnel;
  tunnel.remote_id = reader.text("remote_id", Presence::kRequired);
  const Node* node = reader.value("authentication", Presence::kRequired);
  if (node == nullptr) return tunnel;
  ObjectReader authentication(*node, keys::kAuthentication, report);
  auto psk = authentication.text("psk_file", Presence::kOptional);
  auto authority = authentication.text("certificate_authority_file", Presence::kOptional);
  if (!psk.empty()) tunnel.psk_file = std::move(psk);
  if (!authority.empty()) tunnel.certificate_authority_file = std::move(authority);
  if (authentication.is_object() && authentication.has("psk_file") == authentication.has("certificate_authority_file"))
    report.error(node->at, "exactly one of \"psk_file\" and \"certificate_authority_file\" is needed");
  return tunnel;
}

}  // namespace

Tunnel bind_tunnel(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kTunnel, report);
  Tunnel tunnel;
  if (!reader.is_object()) return tunnel;
  tunnel.at = node.at;
  const auto protocol = reader.choice("protocol", {"wireguard", "ikev2"}, Presence::kRequired);
  if (protocol) tunnel.protocol = *protocol == 0 ? TunnelProtocol::kWireguard : TunnelProtocol::kIkev2;
  if (protocol == 0) tunnel.wireguard = bind_wireguard(reader, report);
  if (protocol == 1) tunnel.ikev2 = bind_ikev2(reader, report);
  tunnel.sources = reader.parsed_list<Prefix>("source", kMaxSources, Presence::kOptional);
  if (const auto mtu = reader.integer("mtu", {1280, 9000}, Presence::kOptional))
    tunnel.mtu = static_cast<std::uint16_t>(*mtu);
  return tunnel;
}

}  // namespace config
