#include "gateway/router/values.h"

#include <algorithm>

#include <fmt/format.h>

#include "tunnel/crypto/distinguished_name.h"

namespace gateway::router {
namespace {

using config::value::IpProtocol;

std::string dotted(std::uint32_t bits) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += (text.empty() ? "" : ".") + std::to_string((bits >> shift) & 255);
  return text;
}

std::uint32_t mask_bits(const Prefix& prefix) {
  return prefix.length() == 0 ? 0 : ~std::uint32_t{0} << (32 - std::min<unsigned>(prefix.length(), 32));
}

// prefix, address, netmask, wildcard mask: what each router wants of the four. The masks of IPv4 alone.
std::vector<std::string> forms(const Prefix& prefix) {
  const auto mask = prefix.address().is_v4() ? mask_bits(prefix) : 0;
  return {prefix.to_string(), prefix.address().to_string(), dotted(mask), dotted(~mask)};
}

const std::vector<std::string> kPrefixFields = {"n", "prefix", "address", "mask", "wild", "family"};
const std::vector<std::string> kPairFields = {
    "n",     "network",       "network_address", "network_mask", "network_wild",
    "other", "other_address", "other_mask",      "other_wild"};
const std::vector<std::string> kFlowFields = {"n",
                                              "number",
                                              "name",
                                              "protocol",
                                              "family",
                                              "source",
                                              "source_address",
                                              "source_mask",
                                              "source_wild",
                                              "destination",
                                              "destination_address",
                                              "destination_mask",
                                              "destination_wild",
                                              "port",
                                              "port_words",
                                              "port_to",
                                              "first",
                                              "last"};

std::string family_word(const Prefix& prefix) {
  return prefix.address().is_v4() ? "ip" : "ip6";
}

std::string protocol_word(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return "tcp";
    case IpProtocol::kUdp:
      return "udp";
    case IpProtocol::kIcmp:
      return "icmp";
    case IpProtocol::kIcmpV6:
      return "icmpv6";
  }
  return "icmp";
}

void append(std::vector<std::string>& row, const std::vector<std::string>& more) {
  row.insert(row.end(), more.begin(), more.end());
}

List prefix_list(const std::vector<Prefix>& prefixes) {
  List list{kPrefixFields, {}};
  for (const auto& prefix : prefixes) {
    std::vector<std::string> row{std::to_string(list.rows.size() + 1)};
    append(row, forms(prefix));
    row.push_back(family_word(prefix));
    list.rows.push_back(std::move(row));
  }
  return list;
}

List pair_list(const std::vector<Prefix>& networks, const std::vector<Prefix>& others) {
  List list{kPairFields, {}};
  for (const auto& network : networks)
    for (const auto& other : others) {
      if (network.address().family() != other.address().family()) continue;
      std::vector<std::string> row{std::to_string(list.rows.size() + 1)};
      append(row, forms(network));
      append(row, forms(other));
      list.rows.push_back(std::move(row));
    }
  return list;
}

std::vector<std::string> flow_row(const Flow& flow, std::size_t n) {
  std::vector<std::string> row{std::to_string(n), std::to_string(400000 + n), flow.name,
                               protocol_word(flow.port.protocol), family_word(flow.source)};
  append(row, forms(flow.source));
  append(row, forms(flow.destination));
  const bool one = flow.port.first == flow.port.last;
  append(row, {port_text(flow.port, "-"), (one ? "eq " : "range ") + port_text(flow.port, " "),
               port_text(flow.port, " to "), std::to_string(flow.port.first), std::to_string(flow.port.last)});
  return row;
}

// Several words in one line: a list of one row with the field "joined", or of none.
List joined_list(const std::vector<std::string>& words, std::string_view between) {
  List list{{"joined"}, {}};
  if (!words.empty()) list.rows.push_back({joined(words, between)});
  return list;
}

void add_flows(Values& values, const std::vector<Flow>& flows) {
  for (const auto* name : {"out", "out_ports", "out_echo", "in", "in_ports", "in_echo"})
    values.lists[name] = {kFlowFields, {}};
  std::size_t n = 0;
  std::vector<std::string> in, out;
  for (const auto& flow : flows) {
    const auto row = flow_row(flow, ++n);
    (flow.into_facility ? in : out).push_back(row[1]);
    const std::string direction = flow.into_facility ? "in" : "out";
    values.lists[direction].rows.push_back(row);
    values.lists[direction + (flow.port.has_ports() ? "_ports" : "_echo")].rows.push_back(row);
  }
  values.lists["in_numbers"] = joined_list(in, " ");
  values.lists["out_numbers"] = joined_list(out, " ");
  values.flag("no_in", in.empty());
  values.flag("no_out", out.empty());
}

std::vector<std::string> texts(const std::vector<Prefix>& prefixes) {
  std::vector<std::string> words;
  for (const auto& prefix : prefixes) words.push_back(prefix.to_string());
  return words;
}

List family_list(const std::vector<Prefix>& prefixes, bool v4) {
  std::vector<Prefix> some;
  std::ranges::copy_if(prefixes, std::back_inserter(some), [&](const auto& p) { return p.address().is_v4() == v4; });
  return joined_list(texts(some), ", ");
}

// strongSwan reads a name's text in the order of the DER and knows no escapes: the octets leave nothing to read.
Result<std::string, std::string> name_in_hex(std::string_view text) {
  const auto name = tunnel::crypto::DistinguishedName::parse_text(text);
  if (!name) return std::unexpected("the identity dn:" + std::string(text) + " is no name: " + name.error().what);
  std::string out;
  for (const std::uint8_t octet : name->der()) out += fmt::format("{:02x}", octet);
  return out;
}

Result<void, std::string> add_identity(Values& values, const std::string& name, const Identity& identity,
                                       const Vendor& vendor) {
  const auto known = std::ranges::find(vendor.identities, identity.kind, &IdentityWord::kind);
  const auto text = identity.kind + ":" + identity.text;
  if (known == vendor.identities.end())
    return std::unexpected("the identity " + text + " cannot be written for " + std::string(vendor.title) +
                           "; fqdn: is understood by every router");
  const auto written = identity.kind == "dn" ? TRY(name_in_hex(identity.text)) : identity.text;
  if (!is_plain(written))
    return std::unexpected("the identity " + text + " has characters that a router's configuration could misread");
  values.texts[name] = written;
  values.texts[name + "_kind"] = known->word;
  values.texts[name + "_text"] = std::string(known->word) + written;  // strongSwan: the kind stands before it
  for (const auto* kind : {"fqdn", "ip", "email", "keyid", "dn"})
    values.flag(name + "_is_" + kind, identity.kind == kind);
  return {};
}

}  // namespace

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return word || std::string_view(".-_@:").find(c) != std::string_view::npos;
  });
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

std::string port_text(const config::ServicePort& port, std::string_view between) {
  const auto first = std::to_string(port.first);
  return port.first == port.last ? first : first + std::string(between) + std::to_string(port.last);
}

Result<IpAddress, std::string> peer_address(const Facts& facts, const Vendor& vendor) {
  const bool only_v6 =
      !facts.sources.empty() && std::ranges::none_of(facts.sources, [](const auto& p) { return p.address().is_v4(); });
  const auto& all = facts.gateway_addresses;
  auto found = std::ranges::find_if(all, [&](const auto& a) { return a.is_v4() != only_v6; });
  if (found == all.end()) found = all.begin();
  if (found == all.end()) return std::unexpected("the gateway has no outside address");
  if (!found->is_v4() && !vendor.ipv6)
    return std::unexpected("the configuration for " + std::string(vendor.title) +
                           " is made for an outside address of IPv4, and this tunnel has none");
  return *found;
}

void add_common(Values& values, const Facts& facts, const Vendor& vendor, const Made& made,
                std::vector<std::string>& notes) {
  const auto fits = [&](const Prefix& prefix) { return vendor.ipv6 || prefix.address().is_v4(); };
  std::vector<Prefix> networks, others;
  for (const auto& network : facts.networks)
    if (fits(network.real)) networks.push_back(network.real);
  std::ranges::copy_if(facts.others, std::back_inserter(others), fits);
  std::vector<Flow> flows;
  std::ranges::copy_if(facts.flows, std::back_inserter(flows), [&](const auto& flow) { return fits(flow.source); });
  if (flows.size() != facts.flows.size())
    notes.push_back(std::to_string(facts.flows.size() - flows.size()) +
                    " permissions of IPv6 are not in the text for " + std::string(vendor.title) +
                    ": write them by hand");
  auto& texts_of = values.texts;
  texts_of["gateway"] = facts.gateway;
  texts_of["facility"] = facts.facility;
  texts_of["date"] = day_text(made.now);
  texts_of["generation"] = made.generation.empty() ? "-" : made.generation;
  texts_of["mtu"] = std::to_string(facts.mtu);
  texts_of["mss"] = std::to_string(facts.mtu - 40);  // TCP and IPv4 headers without options
  texts_of["mss6"] = std::to_string(facts.mtu - 60);
  texts_of["psk"] = "<PSK: " + facts.psk_file + ">";
  texts_of["ntp"] = "ntp.nict.jp";  // standard time of Japan
  texts_of["networks_joined"] = joined(texts(networks), ", ");
  texts_of["others_joined"] = joined(texts(others), ", ");
  values.lists["networks"] = prefix_list(networks);
  values.lists["others"] = prefix_list(others);
  values.lists["others4"] = family_list(others, true);
  values.lists["others6"] = family_list(others, false);
  values.lists["pairs"] = pair_list(networks, others);
  values.flag("software_client", facts.software_client);
  values.flag("site", !facts.software_client);
  auto& gateways = values.lists["client_gateways"] = {{"family", "address"}, {}};
  for (const auto& address : facts.software_client ? facts.gateway_addresses : std::vector<IpAddress>{})
    gateways.rows.push_back({address.is_v4() ? "ip" : "ip6", address.to_string()});
  values.flag("gateway_begins", facts.gateway_begins);
  values.flag("router_begins", !facts.gateway_begins);
  add_flows(values, flows);
}

void add_words(Values& values, const Vendor& vendor, const Choice& choice) {
  const auto words = words_of(vendor, choice);
  auto& texts_of = values.texts;
  texts_of["ike_cipher"] = words.ike_cipher;
  texts_of["ike_integrity"] = words.ike_integrity;
  texts_of["prf"] = words.prf;
  texts_of["group"] = words.group;
  texts_of["esp_cipher"] = words.esp_cipher;
  texts_of["esp_integrity"] = words.esp_integrity;
  texts_of["pfs"] = words.pfs;
  texts_of["ike_seconds"] = std::to_string(kIkeSeconds);
  texts_of["esp_seconds"] = std::to_string(kEspSeconds);
  values.flag("ike_aead", words.ike_integrity.empty());
  values.flag("ike_mac", !words.ike_integrity.empty());
  values.flag("esp_aead", words.esp_integrity.empty());
  values.flag("esp_mac", !words.esp_integrity.empty());
}

Result<void, std::string> add_identities(Values& values, const Facts& facts, const Vendor& vendor) {
  TRY(add_identity(values, "gateway_id", facts.gateway_id, vendor));
  return add_identity(values, "facility_id", facts.facility_id, vendor);
}

}  // namespace gateway::router
