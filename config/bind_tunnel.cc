// "tunnel" of a facility: the keys of its protocol, and only those.
#include <fmt/format.h>

#include "config/bind.h"
#include "config/limits.h"
#include "config/object_reader.h"
#include "config/text_forms.h"

namespace config {
namespace {

Exception read_exception(ObjectReader& reader) {
  Exception exception;
  exception.at = reader.at();
  exception.reason = reader.text("reason", Presence::kRequired);
  exception.approved_by = reader.text("approved_by", Presence::kRequired);
  const auto until = reader.parsed<EndDate>("until", Presence::kRequired);
  exception.until = until ? until->end : WallTime::max();
  return exception;
}

Exception bind_exception(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kException, report);
  return read_exception(reader);
}

void refuse_foreign_keys(const ObjectReader& reader, std::string_view protocol,
                         std::initializer_list<std::string_view> foreign, Report& report) {
  for (const auto key : foreign)
    if (reader.has(key))
      report.error(report.below(reader.at(), {key}),
                   fmt::format("\"{}\" does not belong to a tunnel with protocol \"{}\"", key, protocol));
}

WireguardTunnel bind_wireguard(ObjectReader& reader, Report& report) {
  refuse_foreign_keys(reader, "wireguard",
                      {"remote_id", "local_id", "authentication", "encapsulation", "ppk", "algorithm_exceptions"},
                      report);
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

CertificateAuthentication bind_certificate(ObjectReader& reader, std::string authority) {
  CertificateAuthentication certificate;
  certificate.authority_file = std::move(authority);
  if (auto list = reader.text("revocation_list_file", Presence::kOptional); !list.empty())
    certificate.revocation_list_file = std::move(list);
  const auto check = reader.choice("revocation", {"required", "where-listed", "not-checked"}, Presence::kOptional);
  certificate.revocation = static_cast<RevocationCheck>(check.value_or(0));
  if (const auto days = reader.integer("list_grace_days", {0, 365}, Presence::kOptional))
    certificate.list_grace_days = static_cast<std::uint16_t>(*days);
  return certificate;
}

void bind_authentication(const Node& node, Ikev2Tunnel& tunnel, Report& report) {
  ObjectReader reader(node, keys::kAuthentication, report);
  if (auto psk = reader.text("psk_file", Presence::kOptional); !psk.empty()) tunnel.psk_file = std::move(psk);
  if (auto authority = reader.text("certificate_authority_file", Presence::kOptional); !authority.empty())
    tunnel.certificate = bind_certificate(reader, std::move(authority));
  if (!reader.is_object()) return;
  if (reader.has("psk_file") == reader.has("certificate_authority_file"))
    report.error(node.at, "exactly one of \"psk_file\" and \"certificate_authority_file\" is needed");
  for (const std::string_view key : {"revocation_list_file", "revocation", "list_grace_days"})
    if (reader.has(key) && !reader.has("certificate_authority_file"))
      report.error(report.below(node.at, {key}), fmt::format("\"{}\" is about certificates; here is none", key));
}

PostquantumKey bind_ppk(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kPpk, report);
  PostquantumKey ppk;
  ppk.id = reader.text("id", Presence::kRequired);
  ppk.file = reader.text("file", Presence::kRequired);
  ppk.required = reader.boolean("required", Presence::kOptional).value_or(true);
  return ppk;
}

AlgorithmException bind_algorithm_exception(const Node& node, Report& report) {
  ObjectReader reader(node, keys::kAlgorithmException, report);
  AlgorithmException exception;
  exception.at = node.at;
  exception.algorithm = reader.text("algorithm", Presence::kRequired);
  exception.why = read_exception(reader);
  return exception;
}

void bind_algorithm_exceptions(ObjectReader& reader, Ikev2Tunnel& tunnel, Report& report) {
  const Node* list = reader.value("algorithm_exceptions", Kind::kArray, Presence::kOptional);
  if (list == nullptr) return;
  if (list->items.size() > kMaxAlgorithmExceptions)
    return report.error(list->at, fmt::format("at most {} exceptions are allowed", kMaxAlgorithmExceptions));
  for (const Node& item : list->items) tunnel.algorithm_exceptions.push_back(bind_algorithm_exception(item, report));
}

Ikev2Tunnel bind_ikev2(ObjectReader& reader, Report& report) {
  refuse_foreign_keys(reader, "ikev2",
                      {"public_key", "preshared_key_file", "persistent_keepalive_seconds", "exception"}, report);
  Ikev2Tunnel tunnel;
  if (const auto id = reader.parsed<IkeIdentityText>("remote_id", Presence::kRequired)) {
    tunnel.remote_id = id->text;
    tunnel.remote_id_at = reader.value("remote_id", Presence::kOptional)->at;
  }
  if (const auto id = reader.parsed<IkeIdentityText>("local_id", Presence::kOptional)) {
    tunnel.local_id = id->text;
    tunnel.local_id_at = reader.value("local_id", Presence::kOptional)->at;
  }
  if (const Node* node = reader.value("authentication", Presence::kRequired))
    bind_authentication(*node, tunnel, report);
  if (const auto host = reader.parsed<HostAddress>("endpoint", Presence::kOptional)) tunnel.endpoint = host->address;
  const auto encapsulation = reader.choice("encapsulation", {"auto", "udp"}, Presence::kOptional);
  tunnel.encapsulation = static_cast<Encapsulation>(encapsulation.value_or(0));
  if (const Node* ppk = reader.value("ppk", Presence::kOptional)) tunnel.ppk = bind_ppk(*ppk, report);
  bind_algorithm_exceptions(reader, tunnel, report);
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
