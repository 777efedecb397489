// The parameter sheet: complete, escaped, without any key, on its own.
#include "gateway/router/sheet.h"

#include "tests/router/site.h"

using namespace router_test;
using gateway::router::Language;
namespace r = gateway::router;

namespace {

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

std::string sheet_of(const config::GatewayConfig& config, std::string_view facility, Language language,
                     const r::Vendor* router = nullptr) {
  auto text = r::sheet(facts(config, facility), router, language, kMade);
  if (!text) FAIL(text.error());
  return *text;
}

}  // namespace

TEST_CASE("sheet: both ends, identities, algorithms, networks, filter, rules") {
  for (const auto language : {Language::kJapanese, Language::kEnglish}) {
    const auto text = sheet_of(site(), "hakodate", language);
    for (const auto* words : {"函館総合病院",
                              "203.0.113.10",
                              "198.51.100.7/32",
                              "fqdn: gw.dc1.example",
                              "fqdn: rtx.hakodate.example",
                              "ipsec-compat",
                              "AES-256-GCM, ChaCha20-Poly1305",
                              "HMAC-SHA-256",
                              "PRF-HMAC-SHA-384",
                              "ECP-384 (20), ECP-256 (19)",
                              "28800",
                              "3600",
                              "192.168.1.0/24",
                              "100.64.1.0/24",
                              "10.80.0.10/32",
                              "TCP 443",
                              "UDP 5000-5010",
                              "ICMP echo",
                              "192.168.1.5/32",
                              "TCP 104",
                              "2027-03-31",
                              "1390 / 1350",
                              "2026-11-26",
                              "電子カルテ参照"})
      CHECK(has(text, words));
  }
  CHECK(has(sheet_of(site(), "hakodate", Language::kJapanese), "別経路"));
  CHECK(has(sheet_of(site(), "hakodate", Language::kJapanese), "経路の回り込み"));
}

TEST_CASE("sheet: for one router it shows the one choice") {
  const auto text = sheet_of(site(), "hakodate", Language::kJapanese, &vendor("yamaha-rtx"));
  CHECK(has(text, "Yamaha RTX"));
  CHECK(has(text, "MODP-2048 (14)"));
  CHECK(has(text, "2030"));
  CHECK_FALSE(has(text, "ECP-384"));
  CHECK_FALSE(has(text, "GCM,"));
  CHECK_FALSE(r::sheet(facts(site(), "hakodate"), &vendor("wg-quick"), Language::kJapanese, kMade));
  CHECK_FALSE(r::sheet(facts(site("ipsec-compat", "ipsec-strict"), "hakodate"), &vendor("yamaha-rtx"),
                       Language::kJapanese, kMade));
}

TEST_CASE("sheet: with certificates it says which names, who gives what to whom, and speaks of no key to hand over") {
  for (const auto language : {Language::kJapanese, Language::kEnglish}) {
    const auto text = sheet_of(site(), "esashi", language);
    for (const auto* words : {"subjectAltName DNS: esashi.example", "subjectAltName DNS: gw.dc1.example", "CSR",
                              "RFC 7427", "digitalSignature"})
      CHECK(has(text, words));
    CHECK_FALSE(has(text, language == Language::kJapanese ? "鍵を渡した日" : "Key handed over"));
    const auto other = sheet_of(site(), "hakodate", language);
    CHECK_FALSE(has(other, "CSR"));
    CHECK(has(other, language == Language::kJapanese ? "鍵を渡した日" : "Key handed over"));
  }
  const auto by_subject = site("\"fqdn:esashi.example\"", "\"dn:CN=esashi, C=JP\"");
  CHECK(has(sheet_of(by_subject, "esashi", Language::kEnglish), "Subject: CN=esashi, C=JP"));
}

TEST_CASE("sheet: exceptions stand in it, with who and until when") {
  const auto text = sheet_of(site(), "matsumae", Language::kJapanese);
  for (const auto* words : {"WireGuard", "一部対象外", "ルータ更新まで", "情報管理責任者", "2027-03-31", "UDP 51820"})
    CHECK(has(text, words));
  CHECK_FALSE(has(text, "PRF"));
}

TEST_CASE("sheet: a title is text, never HTML") {
  const auto config = site("函館総合病院", "<script>alert(1)</script>\\\" onload='x'&amp;");
  for (const auto language : {Language::kJapanese, Language::kEnglish}) {
    const auto text = sheet_of(config, "hakodate", language);
    CHECK_FALSE(has(text, "<script"));
    CHECK(has(text, "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39;&amp;amp;"));
  }
  const auto service = sheet_of(site("電子カルテ参照", "<img src=x>"), "hakodate", Language::kEnglish);
  CHECK_FALSE(has(service, "<img"));
}

TEST_CASE("sheet: nothing is loaded from elsewhere") {
  const auto text = sheet_of(site(), "hakodate", Language::kJapanese);
  for (const auto* words : {"http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"})
    CHECK_FALSE(has(text, words));
}
