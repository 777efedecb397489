// sekisho matrix, sekisho explain --at, and the warnings of check: what a person is told, the JSON forms, exit
// statuses.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "gateway/daemon/cli_text.h"
#include "tests/gateway/cli_told.h"

using namespace gateway::daemon;
using gateway::tests::has;
using gateway::tests::text_of_file;
using gateway::tests::Told;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

// Three facilities behind IKEv2, an exchange to the end of 2098, two services that share a host.
constexpr const char* kSite = R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat" },
  "services": {
    "karte": { "title": "電子カルテ参照", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] },
    "portal": { "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
  "facilities": {
    "hakodate": { "title": "函館総合病院", "role": "disclosing", "networks": [{ "real": "192.168.1.0/24", "seen_as": "100.64.1.0/24" }],
      "may_use": ["karte"], "offers": { "images": { "title": "画像", "addresses": ["192.168.1.5"], "ports": ["tcp/104"] } },
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:a", "source": ["198.51.100.1"], "authentication": { "psk_file": "keys/a.psk" } } },
    "matsumae": { "title": "松前診療所", "role": "viewing", "networks": ["10.2.0.0/24"], "may_use": ["karte", "portal"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:b", "source": ["198.51.100.2"], "authentication": { "psk_file": "keys/b.psk" } } },
    "esashi": { "title": "江差", "role": "viewing", "networks": ["10.3.0.0/24"], "may_use": [],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:c", "source": ["198.51.100.3"], "authentication": { "psk_file": "keys/c.psk" } } } },
  "exchanges": [ { "from": "matsumae", "to": "hakodate", "offer": "images", "reason": "紹介", "until": "2098-12-31" } ]
})";

struct Site {
  std::string folder;
  Site() {
    char name[] = "/tmp/acd-policy-XXXXXX";
    folder = mkdtemp(name);
    write("sekisho.json", kSite);
  }
  ~Site() { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder + "/" + name) << text; }
  [[nodiscard]] std::string read(const std::string& name) const { return text_of_file(folder + "/" + name); }
};

Told told(const Site& site, Words words) {
  words.insert(words.end(), {"--config", site.folder + "/sekisho.json"});
  return gateway::tests::told(site.folder, words);
}

nlohmann::json json_of(const Told& answer) {
  return nlohmann::json::parse(answer.out);
}

}  // namespace

TEST_CASE("cli: matrix as text has tables of pairs and the list, in columns also with Japanese titles") {
  const Site site;
  const auto found = told(site, {"matrix"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFine);
  for (const auto* words :
       {"gateway dc1, at 2", "3 facilities, 2 services", "hakodate 函館総合病院  1      2",
        "esashi 江差            -      -", "hakodate 函館総合病院 hakodate/images  tcp/104  2098-12-31  exchanges[0] (",
        "service -> facility: nothing is open", "Everything else is closed"})
    CHECK(has(found.out, words));
}

TEST_CASE("cli: matrix --json is whole and versioned") {
  const Site site;
  const auto json = json_of(told(site, {"matrix", "--json"}));
  CHECK(json["version"] == 1);
  CHECK(json["gateway"] == "dc1");
  CHECK(json["counts"]["facilities"] == 3);
  CHECK(json["everything_else"] == "closed");
  CHECK(json["from"].is_null());
  REQUIRE(json["open"].size() == 5);  // karte and portal, of two facilities, and the exchange
  const auto& exchange = json["open"][4];
  CHECK(exchange["kind"] == "exchange");
  CHECK(exchange["from"] == "matsumae");
  CHECK(exchange["to"] == "hakodate");
  CHECK(exchange["title"] == "画像");
  CHECK(exchange["sources"] == nlohmann::json{"10.2.0.0/24"});
  CHECK(exchange["destinations"] == nlohmann::json{"100.64.1.5/32"});
  CHECK(exchange["ports"] == nlohmann::json{"tcp/104"});
  CHECK(exchange["rules"].size() == 1);
  CHECK(exchange["until"] == "2099-01-01T00:00:00+09:00");
  CHECK(exchange["last_day"] == "2098-12-31");
  CHECK(json["open"][0]["until"].is_null());
  CHECK(has(json["open"][0]["origin"], "facilities.hakodate.may_use[0] ("));
}

TEST_CASE("cli: matrix of a part, and at a time to come") {
  const Site site;
  const auto part = json_of(told(site, {"matrix", "--json", "--to", "hakodate"}));
  CHECK(part["open"].size() == 1);
  CHECK(part["to"] == "hakodate");
  CHECK(told(site, {"matrix", "--from", "matsumae", "--to", "hakodate"}).status == cli::kFine);
  const auto none = told(site, {"matrix", "--from", "esashi", "--to", "hakodate"});
  CHECK(none.status == cli::kFindings);
  CHECK(has(none.out, "Nothing is open. Of what was asked for, everything else is closed"));
  const auto later = json_of(told(site, {"matrix", "--json", "--at", "2099-01-01"}));
  CHECK(later["open"].size() == 4);
  REQUIRE(later["notes"].size() == 1);
  CHECK(has(later["notes"][0], "exchanges[0].until"));
  CHECK(json_of(told(site, {"matrix", "--json", "--at", "2098-12-31T23:59:59"}))["open"].size() == 5);
}

TEST_CASE("cli: matrix --html is a page, in a file only when nothing is there") {
  const Site site;
  const auto page = told(site, {"matrix", "--html"});
  CHECK(page.status == cli::kFine);
  CHECK(page.out.starts_with("<!DOCTYPE html>\n<html lang=\"ja\">"));
  CHECK(has(page.out, "<svg"));
  CHECK(has(told(site, {"matrix", "--html", "--lang", "en"}).out, "<html lang=\"en\">"));
  const auto path = site.folder + "/list.html";
  CHECK(told(site, {"matrix", "--html", "--out", path}).status == cli::kFine);
  CHECK(site.read("list.html").starts_with("<!DOCTYPE html>"));
  const auto again = told(site, {"matrix", "--html", "--out", path});
  CHECK(again.status == cli::kCouldNotRun);
  CHECK(has(again.err, "not overwritten"));
}

TEST_CASE("cli: matrix says what is wrong") {
  const Site site;
  const auto refused = [&](Words words, std::string_view why) {
    words.insert(words.begin(), "matrix");
    const auto found = told(site, words);
    INFO(found.err);
    CHECK(found.status == cli::kCouldNotRun);
    CHECK(found.out.empty());
    CHECK(has(found.err, why));
  };
  refused({"--from", "matsumea"}, "did you mean \"matsumae\"");
  refused({"--at", "tomorrow"}, "\"tomorrow\" is no time; write \"2027-03-31T09:00:00+09:00\"");
  refused({"--html", "--json"}, "give one");
  refused({"--lang", "en"}, "--lang belongs to --html");
  refused({"--html", "--lang", "fr"}, "ja or en");
  refused({"--out", "x"}, "--out belongs to --html");
  site.write("sekisho.json", "{");
  refused({}, "error");
}

TEST_CASE("cli: explain asks each layer, and shows the titles") {
  const Site site;
  const auto open = told(site, {"explain", "matsumae", "karte:443"});
  INFO(open.out << open.err);
  CHECK(open.status == cli::kFine);
  for (const auto* words :
       {"matsumae 松前診療所 -> karte 電子カルテ参照, at 2",
        "10.2.0.1 -> 10.80.0.10 tcp/443: allowed: ", "  tunnel    passes  matsumae: IKEv2: ", "  guard     passes  ",
        "  route     passes  rule 7110", "  nftables  passes  to_inside4: service4, rule "})
    CHECK(has(open.out, words));
  CHECK_FALSE(has(open.out, "do not agree"));
  const auto shut = told(site, {"explain", "10.3.0.7", "100.64.1.5:tcp/104"});
  CHECK(shut.status == cli::kFindings);
  for (const auto* words : {"10.3.0.7 (esashi) 江差 -> 100.64.1.5 (hakodate) 函館総合病院", "guard     refuses esashi",
                            "route     refuses", "nftables  refuses mark_exchange4: refused, detour"})
    CHECK(has(shut.out, words));
}

TEST_CASE("cli: explain --at decides for that time") {
  const Site site;
  const Words ask{"explain", "matsumae", "hakodate:tcp/104"};
  const auto at = [&](const std::string& time, bool json = false) {
    auto words = ask;
    words.insert(words.end(), {"--at", time});
    if (json) words.emplace_back("--json");
    return told(site, words);
  };
  CHECK(told(site, ask).status == cli::kFine);
  CHECK(at("2098-12-31").status == cli::kFine);
  CHECK(at("2098-12-31T14:59:59Z").status == cli::kFine);
  const auto ended = at("2098-12-31T15:00:00Z");
  CHECK(ended.status == cli::kFindings);
  CHECK(has(ended.out, "denied: exchanges[0] ("));
  CHECK(has(ended.out, "has ended"));
  CHECK(has(ended.out, "note: a reload at that time would be refused: "));
  const auto json = json_of(at("2099-01-01", true));
  CHECK(json["version"] == 1);
  CHECK(json["at"] == "2099-01-01T00:00:00+09:00");
  CHECK(json["from"]["title"] == "松前診療所");
  CHECK(json["to"]["kind"] == "facility");
  CHECK(json["allowed"] == false);
  CHECK(json["layers_agree"] == true);
  CHECK(json["answers"][0]["until"] == "2099-01-01T00:00:00+09:00");
  CHECK(json["answers"][0]["layers"].size() == 6);
  const auto wrong = at("31.12.2098");
  CHECK(wrong.status == cli::kCouldNotRun);
  CHECK(has(wrong.err, "sekisho explain: --at: \"31.12.2098\" is no time"));
}

TEST_CASE("cli: an exchange that has ended can be asked about for the time when it ran") {
  const Site site;
  auto text = site.read("sekisho.json");
  text.replace(text.find("2098-12-31"), 10, "2020-12-31");
  site.write("sekisho.json", text);
  CHECK(told(site, {"explain", "matsumae", "hakodate:tcp/104"}).status == cli::kCouldNotRun);  // an error of the file
  CHECK(told(site, {"explain", "matsumae", "hakodate:tcp/104", "--at", "2020-12-31 12:00"}).status == cli::kFine);
}

TEST_CASE("cli: check warns of a line that allows nothing of its own, and does not fail for it") {
  const Site site;
  fs::create_directory(site.folder + "/keys");
  for (const auto* name : {"a", "b", "c"})
    REQUIRE(told(site, {"key", "generate", site.folder + "/keys/" + name + ".psk"}).status == cli::kFine);
  const auto found = told(site, {"check"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFine);
  CHECK(has(found.out, "sekisho.json:11:116: "));
  CHECK(has(found.out,
            "warning: facilities.matsumae.may_use[1]: everything this line allows is allowed by another line"));
  CHECK(has(found.out, ": the other: facilities.matsumae.may_use[0]"));
  const auto json = json_of(told(site, {"check", "--json"}));
  CHECK(json["ok"] == true);
}

TEST_CASE("cli: matrix and explain say who is isolated, and what is left is closed") {
  const Site site;
  const Words state{"--state", site.folder};
  const auto with = [&](Words words) {
    words.insert(words.end(), state.begin(), state.end());
    return told(site, std::move(words));
  };
  CHECK(json_of(with({"matrix", "--json"}))["isolated"].empty());
  CHECK(with({"explain", "hakodate", "karte:443"}).status == cli::kFine);
  site.write("isolation.json",
             R"({"version":1,"last":1,"orders":[{"number":1,"facility":"hakodate","since_ns":1900000000000000000,
                 "actor":"uid 0 (root), pid 7","reason":"virus","identities":[],"networks":[]}]})");
  const auto json = json_of(with({"matrix", "--json"}));
  REQUIRE(json["isolated"].size() == 1);
  CHECK(has(json["isolated"][0].get<std::string>(), "hakodate is isolated since 2030-03-1"));
  CHECK(has(json["isolated"][0].get<std::string>(), "by uid 0 (root), pid 7: virus"));
  CHECK(json["open"].size() == 2);  // matsumae's services; neither hakodate's own nor the exchange
  CHECK(has(with({"matrix"}).out, "isolated: hakodate is isolated since"));
  const auto denied = with({"explain", "hakodate", "karte:443"});
  CHECK(denied.status == cli::kFindings);
  CHECK(has(denied.out, "isolated: hakodate is isolated since"));
  CHECK(has(denied.out, "it is isolated: it has no tunnel"));
  CHECK_FALSE(has(denied.out, "do not agree"));
  CHECK(with({"explain", "matsumae", "hakodate:104"}).status == cli::kFindings);
  const auto other = with({"explain", "matsumae", "karte:443"});
  CHECK(other.status == cli::kFine);
  CHECK_FALSE(has(other.out, "isolated"));
  site.write("isolation.json", "{");  // what cannot be read isolates everything, as the gateway itself does
  CHECK(json_of(with({"matrix", "--json"}))["open"].empty());
}

TEST_CASE("cli: verify tells the theorems and what they are over, and says why nothing is proved") {
  const Site site;
  const auto without_keys = told(site, {"verify"});
  CHECK(without_keys.status != cli::kFine);
  CHECK(json_of(told(site, {"verify", "--json"}))["proof"].is_null());
  fs::create_directory(site.folder + "/keys");
  for (const char* name : {"a", "b", "c"})
    REQUIRE(told(site, {"key", "generate", site.folder + "/keys/" + name + ".psk"}).status == cli::kFine);
  const auto found = told(site, {"verify"});
  INFO(found.out << found.err);
  CHECK(found.status == cli::kFine);
  for (const auto* words : {"P1    holds: what comes out of a facility's tunnel", "P2    holds: ", "P3    holds: ",
                            "P4    holds: ", "exact holds: everything that is declared passes",
                            "3 facilities; of 6 ways that one could reach another, 1 open and 5 closed"})
    CHECK(has(found.out, words));
  const auto json = json_of(told(site, {"verify", "--json"}));
  CHECK(json["version"] == 1);
  CHECK(json["ok"] == true);
  CHECK(json["findings"].empty());
  CHECK(json["proof"]["ok"] == true);
  CHECK(json["proof"]["pairs"] == 6);
  CHECK(json["proof"]["open_pairs"] == 1);
  REQUIRE(json["proof"]["theorems"].size() == 5);
  CHECK(json["proof"]["theorems"][0]["promise"] == "P1");
  CHECK(json["proof"]["theorems"][0]["holds"] == true);
  CHECK(json["proof"]["theorems"][0]["breaches"].empty());
}
