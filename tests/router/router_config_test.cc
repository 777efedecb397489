// What each router is told: algorithms within the profile, the filter, refusals in words, never a key.
#include "gateway/router/router_config.h"

#include <algorithm>

#include "gateway/router/templates.h"
#include "tests/router/site.h"

using namespace router_test;
using gateway::router::Part;
namespace r = gateway::router;

namespace {

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

std::string text_for(const config::GatewayConfig& config, std::string_view facility, std::string_view name) {
  auto made = r::router_config(facts(config, facility), vendor(name), Part::kConfiguration, kMade);
  if (!made) FAIL(made.error());
  return made->text;
}

std::string error_for(const config::GatewayConfig& config, std::string_view facility, std::string_view name,
                      Part part = Part::kConfiguration) {
  const auto made = r::router_config(facts(config, facility), vendor(name), part, kMade);
  return made ? "" : made.error();
}

}  // namespace

TEST_CASE("router: every template renders, for every facility it is for") {
  const auto config = site();
  for (const auto& each : r::vendors()) {
    INFO(each.name);
    for (const auto part : {Part::kConfiguration, Part::kFilter}) {
      if (part == Part::kFilter && !each.filter_apart) continue;
      const auto made = r::router_config(facts(config, each.wireguard ? "matsumae" : "hakodate"), each, part, kMade);
      if (!made) FAIL(made.error());
      CHECK(made->text.find("{{") == std::string::npos);
    }
  }
  std::size_t used = 5;  // the sheets, the matrix, and the page that they share
  for (const auto& each : r::vendors()) used += each.filter_apart ? 2 : 1;
  CHECK(r::templates().size() == used);  // no template that nobody renders
}

TEST_CASE("router: facts are in the facility's own addresses") {
  const auto config = site();
  const auto known = facts(config, "hakodate");
  CHECK(known.others.size() == 3);  // two services, and the seen network of matsumae from the exchange
  for (const auto& flow : known.flows) {
    const auto& own = flow.into_facility ? flow.destination : flow.source;
    CHECK(config::Prefix::parse("192.168.1.0/24")->contains(own));
  }
  CHECK(known.mtu == 1390);
  CHECK(facts(site(R"("mtu": 1390, )"), "hakodate").mtu == 1380);  // policy/compile.cc: ESP fits 1500
  CHECK(known.gateway_id.text == "gw.dc1.example");
  const auto viewing = facts(config, "matsumae");  // meets the hospital under its seen address
  CHECK(std::ranges::count(viewing.others, *config::Prefix::parse("100.64.1.5/32")) == 1);
  CHECK(std::ranges::count(viewing.others, *config::Prefix::parse("192.168.1.5/32")) == 0);
}

TEST_CASE("router: nothing permitted, nothing told") {
  const auto known = r::facts_of(site(), "yakumo", kNow);
  REQUIRE_FALSE(known);
  CHECK(has(known.error(), "may_use"));
  CHECK(has(r::facts_of(site(), "nobody", kNow).error(), "no facility is called 'nobody'"));
}

TEST_CASE("router: the best that both have is chosen") {
  const auto config = site();
  CHECK(has(text_for(config, "hakodate", "strongswan"), "proposals = aes256gcm16-prfsha384-ecp384\n"));
  CHECK(has(text_for(config, "hakodate", "strongswan"), "esp_proposals = aes256gcm16-ecp384\n"));
  CHECK(has(text_for(config, "hakodate", "fortigate"), "set proposal aes256gcm-prfsha384\n"));
  CHECK(has(text_for(config, "hakodate", "cisco-ios-xe"), " group 20\n"));
  const auto yamaha = text_for(config, "hakodate", "yamaha-rtx");
  CHECK(has(yamaha, "ipsec ike proposal-limitation 1 on\n"));  // else it offers everything it has
  CHECK(has(yamaha, "ipsec ike version 1 2\n"));
  CHECK(has(yamaha, "ipsec ike group 1 modp2048\n"));
  CHECK(has(text_for(config, "hakodate", "nec-ix"), "ikev2 sa-proposal dh 3072-bit\n"));
  CHECK(has(text_for(config, "hakodate", "nec-ix"), "ikev2 sa-proposal prf sha2-256\n"));  // the hash of the integrity
  CHECK(has(text_for(config, "hakodate", "alliedware-plus"), "encryption aes256 group 16\n"));
}

TEST_CASE("router: what the vendor cannot do is said, with the two ways out") {
  const auto strict = site("ipsec-compat", "ipsec-strict");
  const auto error = error_for(strict, "hakodate", "yamaha-rtx");
  CHECK(has(error, "ipsec-strict allows here: allowed AES-256-GCM with ECP-384"));
  CHECK(has(error, "\"crypto_profile\": \"ipsec-compat\""));
  CHECK(has(error, "for: AES-256-CBC, PRF-HMAC-SHA-256, MODP-2048"));
  CHECK(has(error_for(strict, "hakodate", "alliedware-plus"), "for: AES-256-CBC, PRF-HMAC-SHA-256"));
  CHECK_FALSE(has(error_for(strict, "hakodate", "alliedware-plus"), "MODP-2048,"));
  CHECK(error_for(strict, "hakodate", "cisco-ios-xe").empty());
  // With exactly the exceptions it names, it works.
  auto config = strict;
  for (auto& facility : config.facilities)
    if (facility.name.text == "hakodate")
      for (const auto* name : {"AES-256-CBC", "PRF-HMAC-SHA-256", "MODP-2048"})
        facility.tunnel.ikev2.algorithm_exceptions.push_back(
            {name, {"old router", "T. Sato", kNow + std::chrono::hours(24), {}}, {}});
  CHECK(error_for(config, "hakodate", "yamaha-rtx").empty());
  for (auto& facility : config.facilities)
    for (auto& exception : facility.tunnel.ikev2.algorithm_exceptions) exception.why.until = kNow;  // ended
  CHECK_FALSE(error_for(config, "hakodate", "yamaha-rtx").empty());
}

TEST_CASE("router: a cipher with integrity of its own is written as one") {
  auto known = facts(site(), "hakodate");
  using tunnel::crypto::Encryption;
  std::erase_if(known.profile.ike, [](const auto& suite) { return suite.encryption != Encryption::kAesCbc; });
  std::erase_if(known.profile.esp, [](const auto& suite) { return suite.encryption != Encryption::kAesCbc; });
  known.profile.groups = {tunnel::crypto::Group::kModp2048};
  const auto text = [&](std::string_view name) {
    const auto made = r::router_config(known, vendor(name), Part::kConfiguration, kMade);
    if (!made) FAIL(made.error());
    return made->text;
  };
  CHECK(has(text("strongswan"), "    proposals = aes256-sha256-prfsha256-modp2048\n"));
  CHECK(has(text("strongswan"), "esp_proposals = aes256-sha256-modp2048\n"));
  CHECK(has(text("fortigate"), "set proposal aes256-sha256\n        set dhgrp 14\n"));
  CHECK(has(text("cisco-ios-xe"), " encryption aes-cbc-256\n integrity sha256\n prf sha256\n group 14\n"));
  CHECK(has(text("cisco-ios-xe"), "transform-set SEKISHO esp-aes 256 esp-sha256-hmac\n"));
}

TEST_CASE("router: a postquantum key is named, asked for where it is required, and noted where it cannot be written") {
  auto config = site();
  const auto with = [&](const std::string& id, bool required) {
    for (auto& facility : config.facilities)
      if (facility.name.text == "hakodate") facility.tunnel.ikev2.ppk = {id, "keys/hakodate.ppk", required};
    return config;
  };
  const auto text = text_for(with("ppk.hakodate", true), "hakodate", "strongswan");
  CHECK(has(text, "ppk_id = \"ppk.hakodate\"\n    ppk_required = yes\n"));
  CHECK(has(text, "secret = \"<PPK: keys/hakodate.ppk>\""));
  CHECK_FALSE(has(text_for(with("ppk.hakodate", false), "hakodate", "strongswan"), "ppk_required"));
  CHECK(has(error_for(with("a\"b", true), "hakodate", "strongswan"), "could misread"));
  const auto cisco =
      r::router_config(facts(with("p", true), "hakodate"), vendor("cisco-ios-xe"), Part::kConfiguration, kMade);
  REQUIRE(cisco);
  CHECK(std::ranges::any_of(cisco->notes, [](const auto& note) { return has(note, "RFC 8784"); }));
}

TEST_CASE("router: notes") {
  const auto notes = [](const config::GatewayConfig& config, std::string_view name) {
    const auto made = r::router_config(facts(config, "hakodate"), vendor(name), Part::kConfiguration, kMade);
    if (!made) FAIL(made.error());
    std::string text;
    for (const auto& note : made->notes) text += note + "\n";
    return text;
  };
  CHECK(notes(site(), "strongswan").empty());
  CHECK(has(notes(site(), "yamaha-rtx"), "MODP-2048 is allowed until the end of 2030"));
  CHECK(has(notes(site(), "cisco-ios-xe"), "not tried on a device"));
  CHECK(has(notes(site("ipsec-compat", "ipsec-strict"), "strongswan"), "asks for certificates"));
}

TEST_CASE("router: MODP-2048 is not chosen after 2030") {
  const config::WallTime later{std::chrono::hours(24 * 22300)};
  const auto known = r::facts_of(site(), "hakodate", later);
  REQUIRE(known);
  r::Made made = kMade;
  made.now = later;
  const auto yamaha = r::router_config(*known, vendor("yamaha-rtx"), Part::kConfiguration, made);
  REQUIRE_FALSE(yamaha);
  CHECK(has(yamaha.error(), "no profile allows any of that now"));
}

TEST_CASE("router: each tunnel has its own kind of router") {
  const auto config = site();
  CHECK(has(error_for(config, "hakodate", "wg-quick"), "has an IKEv2 tunnel"));
  CHECK(has(error_for(config, "matsumae", "yamaha-rtx"), "use --vendor wg-quick"));
  CHECK(has(error_for(config, "matsumae", "strongswan"), "WireGuard"));
  CHECK(has(error_for(config, "esashi", "nec-ix"), "certificate"));
  CHECK(has(text_for(config, "esashi", "strongswan"), "auth = pubkey"));
  CHECK_FALSE(has(text_for(config, "esashi", "strongswan"), "PSK"));
  CHECK(has(error_for(config, "hakodate", "nec-ix", Part::kFilter), "in the configuration itself"));
  CHECK(r::vendor_named("yamaha") == nullptr);
}

TEST_CASE("router: identities that a router cannot have or could misread are refused") {
  auto config = site();
  const auto with = [&](const std::string& id) {
    for (auto& facility : config.facilities)
      if (facility.name.text == "hakodate") facility.tunnel.ikev2.remote_id = id;
    return config;
  };
  CHECK(has(error_for(with("keyid:0a1b"), "hakodate", "yamaha-rtx"), "keyid:0a1b cannot be written"));
  CHECK(has(text_for(with("keyid:0a1b"), "hakodate", "strongswan"), "id = \"@#0a1b\""));
  CHECK(has(text_for(with("ip:198.51.100.7"), "hakodate", "yamaha-rtx"), "local name 1 198.51.100.7 ipv4-addr\n"));
  CHECK(has(error_for(with("email:a\"b@c.example"), "hakodate", "fortigate"), "could misread"));
  CHECK(has(error_for(with("email:a b@c.example"), "hakodate", "cisco-ios-xe"), "could misread"));
  // DER: the text says last what the octets have first; nothing of it could be misread.
  CHECK(has(text_for(with("dn:CN=rtx, O=b"), "hakodate", "strongswan"),
            "id = \"asn1dn:#301a310a3008060355040a0c0162310c300a06035504030c03727478\""));
  CHECK(has(text_for(with("dn:CN=a\\, \\\"}, O=b"), "hakodate", "strongswan"), "id = \"asn1dn:#30"));
  CHECK(has(error_for(with("dn:CN=a, hospital"), "hakodate", "strongswan"), "is no name"));
  CHECK(has(error_for(with("email:a}\nsecrets{@c"), "hakodate", "strongswan"), "could misread"));
}

TEST_CASE("router: the filter permits what policy permits, and no more") {
  const auto config = site();
  const auto made = r::router_config(facts(config, "hakodate"), vendor("strongswan"), Part::kFilter, kMade);
  REQUIRE(made);
  CHECK(has(made->text, "ip saddr 192.168.1.0/24 ip daddr 10.80.0.10/32 tcp dport 443 ct state new accept"));
  CHECK(has(made->text, "ip saddr 192.168.1.0/24 ip daddr 10.80.0.20/32 udp dport 5000-5010 ct state new accept"));
  CHECK(has(made->text, "ip saddr 10.2.0.0/24 ip daddr 192.168.1.5/32 tcp dport 104 ct state new accept"));
  std::size_t accepts = 0;
  for (auto at = made->text.find("ct state new accept"); at != std::string::npos;
       at = made->text.find("ct state new accept", at + 1))
    ++accepts;
  CHECK(accepts == facts(config, "hakodate").flows.size());
  const auto without = site("\"karte\", \"relay\"", "\"karte\"");
  const auto less = r::router_config(facts(without, "hakodate"), vendor("strongswan"), Part::kFilter, kMade);
  REQUIRE(less);
  CHECK_FALSE(has(less->text, "ip daddr 10.80.0.20/32"));
}

TEST_CASE("router: IPv6 is in the text or in a note") {
  const auto config = site("\"10.80.0.10\"", "\"10.80.0.10\", \"fd00:80::10\"");
  auto dual = config;
  for (auto& facility : dual.facilities)
    if (facility.name.text == "hakodate") {
      const auto prefix = *config::Prefix::parse("fd00:1::/64");
      facility.networks.push_back({prefix, prefix, {}});
    }
  CHECK(has(text_for(dual, "hakodate", "strongswan"), "fd00:80::10/128"));
  const auto cisco = r::router_config(facts(dual, "hakodate"), vendor("cisco-ios-xe"), Part::kConfiguration, kMade);
  REQUIRE(cisco);
  CHECK_FALSE(has(cisco->text, "fd00:"));
  CHECK(
      std::ranges::any_of(cisco->notes, [](const auto& note) { return has(note, "permissions of IPv6 are not in"); }));
}

TEST_CASE("router: the key is named by its file and to be filled in") {
  const auto config = site();
  for (const auto& each : r::vendors())
    if (!each.wireguard) CHECK(has(text_for(config, "hakodate", each.name), "<PSK: keys/hakodate.psk>"));
}

TEST_CASE("router: a software client gets everything into the tunnel and nothing past it; a site does not") {
  // matsumae as one machine with WireGuard
  auto config = site("\"role\": \"viewing\", \"networks\": [\"10.2.0.0/24\"]",
                     "\"role\": \"viewing\", \"software_client\": true, \"networks\": [\"10.2.0.7/32\"]");
  const auto filter_of = [&](const config::GatewayConfig& from, std::string_view facility, std::string_view name) {
    return r::router_config(facts(from, facility), vendor(name), Part::kFilter, kMade).value().text;
  };
  const auto text = text_for(config, "matsumae", "wg-quick"), filter = filter_of(config, "matsumae", "wg-quick");
  CHECK(has(text, "AllowedIPs = 0.0.0.0/0, ::/0\n"));
  CHECK(has(filter, "type filter hook input priority filter - 9; policy drop;"));
  CHECK(has(filter, "type filter hook output priority filter - 9; policy drop;"));
  CHECK(has(filter, "ip saddr 203.0.113.10 udp sport 51820 accept"));
  CHECK(has(filter, "ip daddr 203.0.113.10 udp dport 51820 accept"));
  const auto plain = site();
  CHECK_FALSE(has(text_for(plain, "matsumae", "wg-quick"), "0.0.0.0/0"));
  CHECK_FALSE(has(filter_of(plain, "matsumae", "wg-quick"), "policy drop"));
  // hakodate's neighbour with IKEv2
  config = site("\"role\": \"viewing\", \"networks\": [\"10.3.0.0/24\"]",
                "\"role\": \"viewing\", \"software_client\": true, \"networks\": [\"10.3.0.7/32\"]");
  const auto ipsec = filter_of(config, "esashi", "strongswan");
  for (const auto* words : {"meta ipsec exists accept", "rt ipsec exists accept", "udp sport { 500, 4500 } accept",
                            "ip daddr 203.0.113.10 meta l4proto esp accept", "policy drop"})
    CHECK(has(ipsec, words));
  config = site(
      "\"role\": \"viewing\", \"networks\": [\"10.4.0.0/24\"]",
      "\"role\": \"viewing\", \"may_use\": [\"karte\"], \"software_client\": true, \"networks\": [\"10.4.0.7/32\"]");
  CHECK(has(error_for(config, "yakumo", "yamaha-rtx"), "is a software client, one machine"));
}
