#include "gateway/router/router_config.h"

#include <algorithm>

#include "gateway/router/templates.h"
#include "gateway/router/values.h"

namespace gateway::router {
namespace {

constexpr std::string_view kUntried =
    "made from the vendor's documents and not tried on a device: check it there before use";

Result<void, std::string> fits(const Facts& facts, const Vendor& vendor, Part part) {
  const bool wireguard = facts.protocol == config::TunnelProtocol::kWireguard;
  if (vendor.wireguard && !wireguard)
    return std::unexpected("facility " + facts.facility + " has an IKEv2 tunnel; wg-quick is for WireGuard");
  if (!vendor.wireguard && wireguard)
    return std::unexpected("facility " + facts.facility + " has a WireGuard tunnel; " + std::string(vendor.name) +
                           " is for IKEv2, use --vendor wg-quick");
  if (part == Part::kFilter && !vendor.filter_apart)
    return std::unexpected("the packet filter of " + std::string(vendor.name) + " is in the configuration itself");
  if (facts.software_client && !vendor.filter_apart)
    return std::unexpected("facility " + facts.facility +
                           " is a software client, one machine: use --vendor strongswan or wg-quick");
  if (facts.certificate && !vendor.certificates)
    return std::unexpected("facility " + facts.facility + " proves itself with a certificate, which is written for " +
                           "strongswan alone; for " + std::string(vendor.name) + " use a preshared key, or write it " +
                           "by hand from the sheet");
  return {};
}

Result<void, std::string> add_ikev2(Values& values, const Facts& facts, const Vendor& vendor, const Made& made,
                                    std::vector<std::string>& notes) {
  const auto choice = TRY(choose(vendor, facts.profile, made.now));
  add_words(values, vendor, choice);
  TRY(add_identities(values, facts, vendor));
  values.flag("certificate", facts.certificate);
  values.flag("preshared_key", !facts.certificate);
  values.flag("ppk", !facts.ppk_id.empty());
  values.flag("ppk_required", facts.ppk_required);
  values.texts["ppk_id"] = facts.ppk_id;
  values.texts["ppk"] = "<PPK: " + facts.ppk_file + ">";
  if (!is_plain(facts.ppk_id))
    return std::unexpected("the id of the postquantum key, " + facts.ppk_id +
                           ", has characters that a router's configuration could misread");
  if (!facts.ppk_id.empty() && vendor.name != "strongswan")
    notes.push_back("this tunnel asks for a postquantum key (RFC 8784), which is not in the text for " +
                    std::string(vendor.title));
  if (!facts.certificate && !facts.profile.preshared_key)
    notes.emplace_back("ipsec-strict asks for certificates and this facility has a preshared key: see 'sekisho check'");
  if (choice.group == tunnel::crypto::Group::kModp2048)
    notes.emplace_back("MODP-2048 is allowed until the end of 2030; plan a router with a larger group");
  return {};
}

void add_wireguard(Values& values, const Facts& facts, const Made& made) {
  values.texts["port"] = std::to_string(facts.wireguard_port);
  values.texts["gateway_key"] =
      made.gateway_public_key.empty() ? "<public key of the gateway>" : made.gateway_public_key;
  values.flag("preshared_key", facts.wireguard_psk);
}

}  // namespace

Result<Text, std::string> router_config(const Facts& facts, const Vendor& vendor, Part part, const Made& made) {
  TRY(fits(facts, vendor, part));
  Text result;
  Values values;
  const auto peer = TRY(peer_address(facts, vendor));
  values.texts["peer"] = peer.to_string();
  values.texts["peer_endpoint"] = config::value::SocketAddress{peer, facts.wireguard_port}.to_string();
  add_common(values, facts, vendor, made, result.notes);
  if (values.lists["in"].rows.empty() && values.lists["out"].rows.empty())
    return std::unexpected("every permission of facility " + facts.facility + " is IPv6, which is not written for " +
                           std::string(vendor.title));
  if (vendor.wireguard)
    add_wireguard(values, facts, made);
  else
    TRY(add_ikev2(values, facts, vendor, made, result.notes));
  if (!vendor.filter_apart) result.notes.emplace_back(kUntried);
  const auto name = std::string(vendor.name) + (part == Part::kFilter ? "-filter" : "");
  const auto text = TRY(template_named(name));
  result.text = TRY(render(text, values, Escape::kLine));
  return result;
}

}  // namespace gateway::router
