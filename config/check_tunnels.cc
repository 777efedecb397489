// Tunnels: which line types are accepted, and that no two facilities can be taken for one another.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "config/check.h"

namespace config {
namespace {

constexpr std::string_view kWriteException =
    "write \"exception\": { \"reason\": \"...\", \"approved_by\": \"...\", \"until\": \"YYYY-MM-DD\" } into the tunnel";

// The written reasons of algorithms outside the profile must not have ended.
void check_ikev2(const Facility& facility, const GatewayConfig& config, WallTime now, Report& report) {
  const auto& tunnel = facility.tunnel;
  if (tunnel.protocol != TunnelProtocol::kIkev2) return;
  for (const auto& exception : tunnel.ikev2.algorithm_exceptions)
    if (exception.why.until <= now)
      report.error(report.below(exception.at, {"until"}),
                   fmt::format("the exception for {} has ended", quoted(exception.algorithm)),
                   "have it approved again with a new date, or take it out");
  if (tunnel.ikev2.psk_file && config.gateway.crypto_profile == CryptoProfile::kIpsecStrict)
    report.warning(report.below(tunnel.at, {"authentication", "psk_file"}),
                   fmt::format("facility {} proves itself with a preshared key; ipsec-strict asks for certificates",
                               quoted(facility.name.text)),
                   "\"certificate_authority_file\", or \"crypto_profile\": \"ipsec-compat\"");
  if (tunnel.ikev2.certificate && !config.gateway.ikev2.certificate_file)
    report.error(report.below(tunnel.at, {"authentication"}), "certificates prove both ends, and the gateway has none",
                 "write \"ikev2\": { \"certificate_file\": ..., \"private_key_file\": ... } into \"gateway\"",
                 {config.gateway.at});
}

// The guideline's line types are IPsec; anything else needs a written, approved, ending reason.
void check_exception(const Tunnel& tunnel, WallTime now, Report& report) {
  if (tunnel.protocol != TunnelProtocol::kWireguard) return;
  const auto& exception = tunnel.wireguard.exception;
  if (!exception) {
    report.error(report.below(tunnel.at, {"protocol"}), "WireGuard is not one of the accepted line types",
                 std::string(kWriteException));
    return;
  }
  if (exception->until <= now)
    report.error(report.below(exception->at, {"until"}), "the exception for this WireGuard tunnel has ended",
                 "have it approved again with a new date, or change the facility to another line");
}

void check_source(const Facility& facility, Report& report) {
  const auto& tunnel = facility.tunnel;
  if (tunnel.at.line == 0) return;  // no tunnel: reported when it was bound
  const auto at = report.below(tunnel.at, {"source"});
  if (tunnel.sources.empty()) {
    if (at == tunnel.at)
      report.warning(tunnel.at, fmt::format("facility {} may call from any address", quoted(facility.name.text)),
                     "add \"source\": the addresses its line has, as [\"198.51.100.7\"]");
    return;
  }
  for (const auto& source : tunnel.sources)
    if (source.length() == 0) report.warning(at, fmt::format("{} as a source is any address", source.to_string()));
  auto endpoint = tunnel.ikev2.endpoint;
  if (tunnel.wireguard.endpoint) endpoint = tunnel.wireguard.endpoint->address;
  const auto holds = [&](const Prefix& source) { return source.contains(*endpoint); };
  if (endpoint && std::none_of(tunnel.sources.begin(), tunnel.sources.end(), holds))
    report.error(report.below(tunnel.at, {"endpoint"}),
                 fmt::format("the endpoint {} is not among the sources it may call from", endpoint->to_string()),
                 "add its address to \"source\"", {at});
}

void check_mtu(const Facility& facility, const GatewayConfig& config, Report& report) {
  if (facility.tunnel.mtu && *facility.tunnel.mtu > config.gateway.tunnel_mtu)
    report.warning(
        report.below(facility.tunnel.at, {"mtu"}),
        fmt::format("larger than the gateway's tunnel_mtu, {}, which then counts", config.gateway.tunnel_mtu));
}

void check_role(const Facility& facility, Report& report) {
  if (facility.role == Role::kViewing && !facility.offers.empty())
    report.warning(report.below(facility.at, {"offers"}),
                   fmt::format("facility {} offers something, but its role is \"viewing\"", quoted(facility.name.text)),
                   "\"role\": \"disclosing\" if that is meant");
}

// A value that only one facility may have, and who had it first.
class Once {
 public:
  Once(Report& report, std::string_view what, std::string_view hint) : report_(report), what_(what), hint_(hint) {}
  void add(const std::string& value, const Facility& facility, const Position& at) {
    const auto [known, is_new] = first_.emplace(value, Owner{facility.name.text, at});
    if (is_new) return;
    report_.error(at,
                  fmt::format("facility {} has the same {} as facility {}", quoted(facility.name.text), what_,
                              quoted(known->second.facility)),
                  std::string(hint_), {known->second.at});
  }

 private:
  struct Owner {
    std::string facility;
    Position at;
  };
  Report& report_;
  std::string_view what_, hint_;
  std::map<std::string, Owner> first_;
};

void check_shared(const GatewayConfig& config, Report& report) {
  Once keys(report, "public key",
            "each facility makes a key of its own; if this is a copy of the other's entry, ask for its key");
  Once files(report, "preshared key file", "each facility has a preshared key of its own: `sekisho key generate`");
  Once identities(report, "remote_id", "each facility has an identity of its own");
  for (const auto& facility : config.facilities) {
    const auto& tunnel = facility.tunnel;
    if (!tunnel.wireguard.public_key.empty())
      keys.add(tunnel.wireguard.public_key, facility, report.below(tunnel.at, {"public_key"}));
    if (tunnel.wireguard.preshared_key_file)
      files.add(*tunnel.wireguard.preshared_key_file, facility, report.below(tunnel.at, {"preshared_key_file"}));
    if (tunnel.ikev2.psk_file)
      files.add(*tunnel.ikev2.psk_file, facility, report.below(tunnel.at, {"authentication", "psk_file"}));
    if (tunnel.ikev2.ppk) files.add(tunnel.ikev2.ppk->file, facility, report.below(tunnel.at, {"ppk", "file"}));
    if (!tunnel.ikev2.remote_id.empty())
      identities.add(tunnel.ikev2.remote_id, facility, report.below(tunnel.at, {"remote_id"}));
  }
}

}  // namespace

void check_tunnels(const GatewayConfig& config, WallTime now, Report& report) {
  for (const auto& facility : config.facilities) {
    check_ikev2(facility, config, now, report);
    check_exception(facility.tunnel, now, report);
    check_source(facility, report);
    check_mtu(facility, config, report);
    check_role(facility, report);
  }
  check_shared(config, report);
}

}  // namespace config
