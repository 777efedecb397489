#include "gateway/router/sheet.h"

#include <algorithm>

#include "gateway/router/values.h"

namespace gateway::router {
namespace {

namespace ike = tunnel::ike;
using tunnel::crypto::CipherSuite;
using tunnel::crypto::Integrity;

// Names, each once, in their order.
class Names {
 public:
  void add(const std::string& name) {
    if (std::ranges::find(names_, name) == names_.end()) names_.push_back(name);
  }
  [[nodiscard]] std::string text() const { return names_.empty() ? "-" : joined(names_, ", "); }

 private:
  std::vector<std::string> names_;
};

std::string ciphers(const std::vector<CipherSuite>& suites) {
  Names names;
  for (const auto& suite : suites) names.add(ike::name(ike::transform(suite.encryption, suite.key_bits)));
  return names.text();
}

std::string integrities(const std::vector<CipherSuite>& suites) {
  Names names;
  for (const auto& suite : suites)
    if (suite.integrity != Integrity::kNone) names.add(ike::name(ike::transform(suite.integrity)));
  return names.text();
}

std::string prfs(const std::vector<tunnel::crypto::Prf>& list) {
  Names names;
  for (const auto prf : list) names.add(ike::name(ike::transform(prf)));
  return names.text();
}

// With the number: most routers ask for that.
std::string groups(const std::vector<tunnel::crypto::Group>& list) {
  Names names;
  for (const auto group : list)
    names.add(ike::name(ike::transform(group)) + " (" + std::to_string(static_cast<int>(group)) + ")");
  return names.text();
}

void add_algorithms(Values& values, const ike::Profile& profile) {
  auto& texts = values.texts;
  texts["profile"] = ike::name(profile.name);
  texts["ike_ciphers"] = ciphers(profile.ike);
  texts["ike_integrities"] = integrities(profile.ike);
  texts["prfs"] = prfs(profile.prfs);
  texts["groups"] = groups(profile.groups);
  const auto& all = profile.groups;
  values.flag("modp2048", std::ranges::find(all, tunnel::crypto::Group::kModp2048) != all.end());
  texts["esp_ciphers"] = ciphers(profile.esp);
  texts["esp_integrities"] = integrities(profile.esp);
  texts["ike_seconds"] = std::to_string(kIkeSeconds);
  texts["esp_seconds"] = std::to_string(kEspSeconds);
}

ike::Profile only(const Choice& choice, const ike::Profile& profile) {
  ike::Profile one = profile;
  one.ike = {choice.ike};
  one.esp = {choice.esp};
  one.prfs = {choice.prf};
  one.groups = {choice.group};
  return one;
}

std::string port_words(const config::ServicePort& port) {
  if (!port.has_ports()) return "ICMP echo";
  return (port.protocol == config::value::IpProtocol::kTcp ? "TCP " : "UDP ") + port_text(port, "-");
}

void add_flow_lists(Values& values, const Facts& facts) {
  const std::vector<std::string> fields = {"name", "title", "source", "destination", "port", "until"};
  values.lists["out"] = values.lists["in"] = {fields, {}};
  for (const auto& flow : facts.flows)
    values.lists[flow.into_facility ? "in" : "out"].rows.push_back(
        {flow.name, flow.title, flow.source.to_string(), flow.destination.to_string(), port_words(flow.port),
         flow.until ? config::last_day_text(*flow.until) : "-"});
  for (const std::string direction : {"in", "out"}) {
    const bool none = values.lists[direction].rows.empty();
    values.flag("no_" + direction, none);
    values.flag("some_" + direction, !none);
  }
}

void add_ends(Values& values, const Facts& facts) {
  values.lists["gateway_addresses"] = {{"address"}, {}};
  for (const auto& address : facts.gateway_addresses)
    values.lists["gateway_addresses"].rows.push_back({address.to_string()});
  values.lists["sources"] = {{"prefix"}, {}};
  for (const auto& prefix : facts.sources) values.lists["sources"].rows.push_back({prefix.to_string()});
  values.flag("any_source", facts.sources.empty());
  values.lists["networks"] = {{"real", "seen"}, {}};
  for (const auto& network : facts.networks)
    values.lists["networks"].rows.push_back({network.real.to_string(), network.seen_as.to_string()});
  values.lists["others"] = {{"prefix"}, {}};
  for (const auto& prefix : facts.others) values.lists["others"].rows.push_back({prefix.to_string()});
  values.flag("gateway_begins", facts.gateway_begins);
  values.flag("router_begins", !facts.gateway_begins);
}

void add_exceptions(Values& values, const Facts& facts) {
  auto& list = values.lists["exceptions"] = {{"what", "reason", "approved_by", "until"}, {}};
  for (const auto& each : facts.exceptions)
    list.rows.push_back({each.algorithm, each.why.reason, each.why.approved_by, config::last_day_text(each.why.until)});
  if (const auto& each = facts.wireguard_exception)
    list.rows.push_back({"WireGuard", each->reason, each->approved_by, config::last_day_text(each->until)});
  values.flag("some_exceptions", !list.rows.empty());
}

// Where an identity stands in a certificate (RFC 4945 3.1).
std::string place_in_certificate(const Identity& id) {
  if (id.kind == "fqdn") return "subjectAltName DNS: " + id.text;
  if (id.kind == "ip") return "subjectAltName IP: " + id.text;
  if (id.kind == "email") return "subjectAltName email: " + id.text;
  if (id.kind == "keyid") return "subjectKeyIdentifier: " + id.text;
  return "Subject: " + id.text;
}

void add_head(Values& values, const Facts& facts, const Vendor* vendor, const Made& made) {
  auto& texts = values.texts;
  texts["gateway"] = facts.gateway;
  texts["facility"] = facts.facility;
  texts["title"] = facts.title.empty() ? facts.facility : facts.title;
  texts["date"] = day_text(made.now);
  texts["generation"] = made.generation.empty() ? "-" : made.generation;
  texts["router"] = vendor == nullptr ? "" : vendor->title;
  texts["gateway_id"] = facts.gateway_id.kind + ": " + facts.gateway_id.text;
  texts["facility_id"] = facts.facility_id.kind + ": " + facts.facility_id.text;
  texts["gateway_name_in_certificate"] = place_in_certificate(facts.gateway_id);
  texts["facility_name_in_certificate"] = place_in_certificate(facts.facility_id);
  texts["mtu"] = std::to_string(facts.mtu);
  texts["mss"] = std::to_string(facts.mtu - 40);
  texts["ppk_id"] = facts.ppk_id;
  texts["port"] = std::to_string(facts.wireguard_port);
  texts["gateway_key"] = made.gateway_public_key.empty() ? "-" : made.gateway_public_key;
}

}  // namespace

Result<std::string, std::string> sheet(const Facts& facts, const Vendor* vendor, Language language, const Made& made) {
  const bool wireguard = facts.protocol == config::TunnelProtocol::kWireguard;
  if (vendor != nullptr && vendor->wireguard != wireguard)
    return std::unexpected("facility " + facts.facility + " has " + (wireguard ? "a WireGuard" : "an IKEv2") +
                           " tunnel, which " + std::string(vendor->name) + " is not for");
  auto profile = facts.profile;
  if (vendor != nullptr && !wireguard) profile = only(TRY(choose(*vendor, facts.profile, made.now)), facts.profile);
  Values values;
  add_head(values, facts, vendor, made);
  add_ends(values, facts);
  add_flow_lists(values, facts);
  add_algorithms(values, profile);
  add_exceptions(values, facts);
  values.flag("wireguard", wireguard);
  values.flag("ikev2", !wireguard);
  values.flag("one_router", vendor != nullptr);
  values.flag("any_router", vendor == nullptr);
  values.flag("certificate", facts.certificate);
  values.flag("preshared_key", wireguard ? facts.wireguard_psk : !facts.certificate);
  values.flag("ppk", !facts.ppk_id.empty());
  values.flag("handed_key", wireguard || !facts.certificate || !facts.ppk_id.empty());
  const std::string what = language == Language::kJapanese ? "接続パラメータシート " : "Connection parameters: ";
  return render_page({language, Paper::kPortrait, what + values.texts["title"], "sheet"}, values);
}

}  // namespace gateway::router
