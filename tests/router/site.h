// One configuration for the tests of gateway/router: a disclosing hospital behind IKEv2 with a translated network, an
// offer and an exchange, a clinic behind WireGuard, one with a certificate, one that may use nothing.
#pragma once

#include <catch2/catch.hpp>

#include <string>
#include <string_view>

#include "config/load.h"
#include "gateway/router/sheet.h"

namespace router_test {

inline const config::WallTime kNow{std::chrono::hours(24 * 20783)};  // 2026-11-26

inline std::string site_text() {
  return R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat",
    "ikev2": { "local_id": "fqdn:gw.dc1.example", "certificate_file": "keys/gw.pem", "private_key_file": "keys/gw.key" } },
  "services": {
    "karte": { "title": "電子カルテ参照", "addresses": ["10.80.0.10"], "ports": ["tcp/443", "icmp"] },
    "relay": { "title": "画像中継", "addresses": ["10.80.0.20"], "ports": ["udp/5000-5010"] } },
  "facilities": {
    "hakodate": { "title": "函館総合病院", "role": "disclosing",
      "networks": [{ "real": "192.168.1.0/24", "seen_as": "100.64.1.0/24" }], "may_use": ["karte", "relay"],
      "offers": { "images": { "title": "画像", "addresses": ["192.168.1.5"], "ports": ["tcp/104"] } },
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:rtx.hakodate.example", "source": ["198.51.100.7"],
        "mtu": 1390, "authentication": { "psk_file": "keys/hakodate.psk" } } },
    "matsumae": { "title": "松前診療所", "role": "viewing", "networks": ["10.2.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "wireguard", "public_key": "YuD6PIk0Y7fTHPbNrZpSeEYjO9OsXzqvWMzrDYAiSUs=", "source": ["198.51.100.8"],
        "preshared_key_file": "keys/matsumae.psk",
        "exception": { "reason": "ルータ更新まで", "approved_by": "情報管理責任者", "until": "2027-03-31" } } },
    "esashi": { "title": "江差", "role": "viewing", "networks": ["10.3.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:esashi.example", "source": ["198.51.100.9"],
        "authentication": { "certificate_authority_file": "ca.pem", "revocation": "not-checked" } } },
    "yakumo": { "title": "八雲", "role": "viewing", "networks": ["10.4.0.0/24"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:yakumo.example", "source": ["198.51.100.10"],
        "authentication": { "psk_file": "keys/yakumo.psk" } } } },
  "inside_may_reach": [ { "service": "relay", "facility": "hakodate", "offer": "images" } ],
  "exchanges": [ { "from": "matsumae", "to": "hakodate", "offer": "images", "reason": "紹介", "until": "2027-03-31" } ]
})";
}

inline config::GatewayConfig site(std::string_view from = "", std::string_view to = "") {
  auto text = site_text();
  if (!from.empty()) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }
  const auto loaded = config::load({{"sekisho.json", text}}, kNow);
  for (const auto& each : loaded.diagnostics) {
    INFO(config::to_text(each, loaded.config.files));
    CHECK(each.severity != config::Severity::kError);
  }
  return loaded.config;
}

inline gateway::router::Facts facts(const config::GatewayConfig& config, std::string_view facility) {
  auto facts = gateway::router::facts_of(config, facility, kNow);
  if (!facts) FAIL(facts.error());
  return *facts;
}

inline const gateway::router::Vendor& vendor(std::string_view name) {
  const auto* found = gateway::router::vendor_named(name);
  REQUIRE(found != nullptr);
  return *found;
}

inline const gateway::router::Made kMade{kNow, "7", "Z2F0ZXdheSBwdWJsaWMga2V5IG9mIHRoZSB0ZXN0cyEhIQ="};

}  // namespace router_test
