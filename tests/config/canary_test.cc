// One facility's part of a candidate in the configuration that runs: what is taken, what is not, and that the result is
// a configuration like any other.
#include "config/canary.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/config/support.h"

using namespace config;
using config_test::kNow;
using Files = std::vector<SourceFile>;

namespace {

constexpr const char* kMain = R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat" },
  "services": {
    "karte": { "title": "電子カルテ\"参照\"", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] },
    "portal": { "addresses": ["10.80.0.20"], "ports": ["tcp/443"] } },
  "facilities": {
    "hakodate": { "role": "disclosing", "networks": [{ "real": "192.168.1.0/24", "seen_as": "100.64.1.0/24" }],
      "may_use": ["karte"], "offers": { "images": { "addresses": ["192.168.1.5"], "ports": ["tcp/104"] } },
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:a", "source": ["198.51.100.1"], "authentication": { "psk_file": "keys/a.psk" } } } },
  "exchanges": [ { "from": "matsumae", "to": "hakodate", "offer": "images", "reason": "紹介", "until": "2098-12-31" } ],
  "inside_may_reach": [ { "service": "karte", "facility": "hakodate", "offer": "images" } ],
  "tests": [ { "from": "hakodate", "to": "karte", "port": "tcp/443", "expect": "allow" },
             { "from": "esashi", "to": "portal", "port": "tcp/443", "expect": "deny" } ],
  "include": ["facilities.d/*.json"]
})";
constexpr const char* kMatsumae = R"({ "facilities": {
    "matsumae": { "role": "viewing", "networks": ["10.2.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:b", "source": ["198.51.100.2"], "authentication": { "psk_file": "keys/b.psk" } } } } })";
constexpr const char* kEsashi = R"({ // 江差
  "facilities": {
    "esashi": { "role": "viewing", "networks": ["10.3.0.0/24"], "may_use": ["karte"],
      "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:c", "source": ["198.51.100.3"], "authentication": { "psk_file": "keys/c.psk" } } } } })";

Files running() {
  return {{"/etc/sekisho/sekisho.json", kMain},
          {"/etc/sekisho/facilities.d/esashi.json", kEsashi},
          {"/etc/sekisho/facilities.d/matsumae.json", kMatsumae}};
}

std::string with(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// Everybody has another network or service in the candidate.
Files candidate() {
  auto files = running();
  files[0].text = with(files[0].text, "\"may_use\": [\"karte\"]", "\"may_use\": [\"karte\", \"portal\"]");
  files[1].text = with(files[1].text, "10.3.0.0/24", "10.33.0.0/24");
  files[2].text = with(files[2].text, "10.2.0.0/24", "10.22.0.0/24");
  return files;
}

Loaded loaded(const Files& files) {
  auto made = load(files, kNow);
  INFO(config_test::all_text(made));
  CHECK_FALSE(has_errors(made.diagnostics));
  return made;
}

Files mixed(const Files& before, const Files& after, const std::string& facility) {
  auto made = canary(before, after, {facility}, kNow);
  REQUIRE(made);
  return *std::move(made);
}

std::string error_of(const Files& before, const Files& after, const std::string& facility) {
  const auto made = canary(before, after, {facility}, kNow);
  return made ? "" : made.error();
}

const Facility* facility_of(const GatewayConfig& config, const std::string& name) {
  const auto found = std::ranges::find(config.facilities, FacilityName{name}, &Facility::name);
  return found == config.facilities.end() ? nullptr : &*found;
}

std::string network_of(const GatewayConfig& config, const std::string& name) {
  const auto* facility = facility_of(config, name);
  return facility == nullptr ? "" : facility->networks.front().real.to_string();
}

}  // namespace

TEST_CASE("canary: the facility's part of the candidate, and nothing of the others'") {
  const auto esashi = loaded(mixed(running(), candidate(), "esashi")).config;
  CHECK(network_of(esashi, "esashi") == "10.33.0.0/24");
  CHECK(network_of(esashi, "matsumae") == "10.2.0.0/24");
  CHECK(facility_of(esashi, "hakodate")->may_use.size() == 1);
  const auto hakodate = loaded(mixed(running(), candidate(), "hakodate")).config;
  CHECK(network_of(hakodate, "esashi") == "10.3.0.0/24");
  CHECK(facility_of(hakodate, "hakodate")->may_use.size() == 2);
  CHECK(hakodate.exchanges.size() == 1);
  CHECK(hakodate.inside_may_reach.size() == 1);
  CHECK(hakodate.tests.size() == 2);
  CHECK(hakodate.services[0].title == "電子カルテ\"参照\"");
}

TEST_CASE("canary: a file of which nothing is taken stays octet by octet") {
  const auto files = mixed(running(), candidate(), "hakodate");
  REQUIRE(files.size() == 3);
  CHECK(files[1].text == kEsashi);
  CHECK(files[2].text == kMatsumae);
  CHECK(mixed(running(), candidate(), "esashi")[2].text == kMatsumae);
  CHECK(mixed(running(), candidate(), "esashi")[1].text.find("esashi") == std::string::npos);
}

TEST_CASE("canary: the candidate may keep its facilities in other files") {
  const Files after{{"/etc/sekisho/sekisho.json", kMain},
                    {"/etc/sekisho/all.json", with(kEsashi, "10.3.0.0/24", "10.33.0.0/24")},
                    {"/etc/sekisho/more.json", kMatsumae}};
  CHECK(network_of(loaded(mixed(running(), after, "esashi")).config, "esashi") == "10.33.0.0/24");
}

TEST_CASE("canary: permissions in which it is a party come with it, those of others do not") {
  auto after = candidate();
  after[0].text = with(after[0].text, "\"offer\": \"images\", \"reason\": \"紹介\", \"until\": \"2098-12-31\" }",
                       "\"offer\": \"images\", \"reason\": \"紹介\", \"until\": \"2097-12-31\" },"
                       " { \"from\": \"esashi\", \"to\": \"hakodate\", \"offer\": \"images\", \"reason\": \"x\","
                       " \"until\": \"2098-12-31\" }");
  const auto esashi = loaded(mixed(running(), after, "esashi")).config;
  REQUIRE(esashi.exchanges.size() == 2);
  CHECK(esashi.exchanges[0].until == load(running(), kNow).config.exchanges[0].until);
  const auto matsumae = loaded(mixed(running(), after, "matsumae")).config;
  REQUIRE(matsumae.exchanges.size() == 1);
  CHECK(matsumae.exchanges[0].until < esashi.exchanges[0].until);
  CHECK(loaded(mixed(running(), after, "hakodate")).config.exchanges.size() == 2);
}

TEST_CASE("canary: a service it needs comes with it, another's new service does not") {
  auto after = candidate();
  after[0].text = with(after[0].text, "\"portal\": {",
                       "\"lab\": { \"addresses\": [\"10.80.0.30\"], \"ports\": [\"tcp/22\"] }, \"portal\": {");
  after[1].text = with(after[1].text, "[\"karte\"]", "[\"karte\", \"lab\"]");
  CHECK(loaded(mixed(running(), after, "esashi")).config.services.size() == 3);
  CHECK(loaded(mixed(running(), after, "hakodate")).config.services.size() == 2);
}

TEST_CASE("canary: a facility that is new, and one that is gone") {
  auto after = candidate();
  after[1].text = with(with(with(after[1].text, "\"esashi\"", "\"okushiri\""), "fqdn:c", "fqdn:d"), "c.psk", "d.psk");
  after[0].text = with(after[0].text, "\"from\": \"esashi\"", "\"from\": \"okushiri\"");
  const auto added = loaded(mixed(running(), after, "okushiri")).config;
  CHECK(added.facilities.size() == 4);
  CHECK(network_of(added, "esashi") == "10.3.0.0/24");
  CHECK(added.tests.size() == 3);
  const auto gone = loaded(mixed(running(), after, "esashi")).config;
  CHECK(gone.facilities.size() == 2);
  CHECK(gone.tests.size() == 1);  // nobody is there any more of whom it could be asked
}

TEST_CASE("canary: a test whose other end is not there yet is left for the whole") {
  auto after = candidate();
  after[0].text =
      with(after[0].text, "\"tests\": [",
           "\"tests\": [ { \"from\": \"hakodate\", \"to\": \"lab\", \"port\": \"tcp/22\", \"expect\": \"deny\" },");
  after[0].text = with(after[0].text, "\"portal\": {",
                       "\"lab\": { \"addresses\": [\"10.80.0.30\"], \"ports\": [\"tcp/22\"] }, \"portal\": {");
  loaded(after);
  CHECK(loaded(mixed(running(), after, "hakodate")).config.tests.size() == 2);
}

TEST_CASE("canary: nobody's name, and what holds for every facility, are refused") {
  CHECK(error_of(running(), candidate(), "esahi").find("there is no facility \"esahi\"") != std::string::npos);
  CHECK(error_of(running(), candidate(), "esahi").find("did you mean \"esashi\"?") != std::string::npos);
  auto after = candidate();
  after[0].text = with(after[0].text, "\"crypto_profile\": \"ipsec-compat\"", "\"tunnel_mtu\": 1400");
  const auto error = error_of(running(), after, "esashi");
  CHECK(error.find("gateway.crypto_profile, gateway.tunnel_mtu, which holds for every facility") != std::string::npos);
  // Where a key stands, and in which order, is no change.
  after = candidate();
  after[0].text = with(after[0].text, "\"name\": \"dc1\", ", "");
  after[0].text = with(after[0].text, "\"crypto_profile\": \"ipsec-compat\"",
                       "\"crypto_profile\": \"ipsec-compat\",\n\n  \"name\": \"dc1\"");
  CHECK(error_of(running(), after, "esashi").empty());
  CHECK_FALSE(error_of({}, candidate(), "esashi").empty());
  CHECK_FALSE(error_of({{"/etc/sekisho/sekisho.json", "{ \"gateway\": "}}, candidate(), "esashi").empty());
}

TEST_CASE("canary: what does not fit into what runs is no configuration") {
  auto after = candidate();  // esashi takes what matsumae gives up
  after[1].text = with(after[1].text, "10.33.0.0/24", "10.2.0.0/24");
  loaded(after);
  CHECK(has_errors(load(mixed(running(), after, "esashi"), kNow).diagnostics));
}

TEST_CASE("canary: an exchange of others that has ended does not keep it from being a configuration") {
  auto before = running();
  before[0].text = with(before[0].text, "2098-12-31", "2020-12-31");
  CHECK(has_errors(load(before, kNow).diagnostics));
  auto after = candidate();
  after[0].text = with(after[0].text, "2098-12-31", "2099-12-31");
  CHECK(loaded(mixed(before, after, "esashi")).config.exchanges.empty());
  CHECK(loaded(mixed(before, after, "matsumae")).config.exchanges.size() == 1);
}

TEST_CASE("canary: of its own text nothing changes any more, and a second facility can follow") {
  const auto first = mixed(running(), candidate(), "hakodate");
  CHECK(mixed(first, candidate(), "hakodate")[0].text == first[0].text);
  const auto second = loaded(mixed(first, candidate(), "esashi")).config;
  CHECK(facility_of(second, "hakodate")->may_use.size() == 2);
  CHECK(network_of(second, "esashi") == "10.33.0.0/24");
  CHECK(network_of(second, "matsumae") == "10.2.0.0/24");
}
