// One mistake each: what is said, and where. The base has none, so every refusal here is the check's own.
#include <catch2/catch.hpp>

#include "config/limits.h"
#include "config/report.h"
#include "config/text_forms.h"
#include "tests/config/support.h"

using namespace config_test;
using namespace config;

namespace {

struct Mistake {
  const char* from;
  const char* to;
  const char* words;
  const char* key_path;
};

constexpr Mistake kMistakes[] = {
    // binding
    {"\"may_use\"", "\"may_uses\"", "did you mean \"may_use\"?", "facilities.alpha.may_uses"},
    {"\"gateway\": {", "\"gatewya\": {", "did you mean \"gateway\"?", "gatewya"},
    {"\"name\": \"dc1\",", "", "the key \"name\" is missing", "gateway"},
    {"\"name\": \"dc1\"", "\"name\": 5", "expected a string, found a number", "gateway.name"},
    {"\"name\": \"dc1\"", "\"name\": \"DC1\"", "is not a name", "gateway.name"},
    {"\"name\": \"dc1\"", "\"name\": \"-dc\"", "is not a name", "gateway.name"},
    {"\"name\": \"dc1\"", "\"name\": \"a2345678901234567890123456789012\"", "is not a name", "gateway.name"},
    {"[\"203.0.113.10\"]", "[]", "this list is empty", "gateway.outside.addresses"},
    {"[\"203.0.113.10\"]", "\"203.0.113.10\"", "expected an array, found a string", "gateway.outside.addresses"},
    {"[\"203.0.113.10\"]", "[\"203.0.113.10\", \"203.0.113.10\"]", "stands twice", "gateway.outside.addresses[1]"},
    {"[\"203.0.113.10\"]", "[\"127.0.0.1\"]", "loopback", "gateway.outside.addresses[0]"},
    {"[\"203.0.113.10\"]", "[\"::ffff:203.0.113.10\"]", "write them as IPv4", "gateway.outside.addresses[0]"},
    {"[\"203.0.113.10\"]", "[\"203.0.113\"]", "not an IP address", "gateway.outside.addresses[0]"},
    {"\"dc0\"", "\"wan0\"", "same interface", "gateway.inside.interface"},
    {"\"dc0\"", "\"sekisho0\"", "own tunnel device", "gateway.inside.interface"},
    {"\"dc0\"", "\"a-name-too-long-\"", "interface name", "gateway.inside.interface"},
    {"\"dc0\" }", "\"dc0\", \"via\": [\"10.80.0.1\", \"10.80.0.2\"] }", "a second IPv4 router",
     "gateway.inside.via[1]"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"tunnel_mtu\": 1279,", "1279 is out of range", "gateway.tunnel_mtu"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"tunnel_mtu\": 9001,", "out of range", "gateway.tunnel_mtu"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"tunnel_mtu\": \"1400\",", "expected a whole number, found a string",
     "gateway.tunnel_mtu"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"wireguard\": { \"port\": 65536 },", "out of range",
     "gateway.wireguard.port"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"offloads\": { \"udp_gro\": \"off\" },", "expected true or false",
     "gateway.offloads.udp_gro"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"records\": { \"budget_mib\": 0 },", "out of range",
     "gateway.records.budget_mib"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"records\": { \"flow_records_per_second\": 100001 },", "out of range",
     "gateway.records.flow_records_per_second"},
    {"\"name\": \"dc1\",", "\"name\": \"dc1\", \"crypto_profile\": \"ipsec-strikt\",", "did you mean \"ipsec-strict\"?",
     "gateway.crypto_profile"},
    {"\"tcp/443\"", "\"443\"", "tcp/443", "services.karte.ports[0]"},
    {"\"disclosing\"", "\"disclosin\"", "did you mean \"disclosing\"?", "facilities.alpha.role"},
    {"\"alpha\": {", "\"Alpha\": {", "is not a name", "facilities.Alpha"},
    {"[\"10.1.0.0/24\"]", "[\"10.1.0.7/24\"]", "the network is \"10.1.0.0/24\"", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"0.0.0.0/0\"]", "default route", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"::/0\"]", "default route", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"0.0.0.0/1\"]", "this network", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"128.0.0.0/1\"]", "link-local", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"224.0.1.0/24\"]", "multicast", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"127.0.0.0/24\"]", "loopback", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"ff05::/16\"]", "multicast", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[\"fe80::/64\"]", "link-local", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[7]", "expected a string or an object", "facilities.alpha.networks[0]"},
    {"[\"10.1.0.0/24\"]", "[]", "at least one network", "facilities.alpha.networks"},
    {"[\"10.1.0.0/24\"]", "[{ \"real\": \"10.1.0.0/24\", \"seen_as\": \"100.64.0.0/23\" }]", "same length",
     "facilities.alpha.networks[0].seen_as"},
    {"[\"10.1.0.0/24\"]", "[{ \"real\": \"10.1.0.0/24\", \"seen_as\": \"fd00::/24\" }]", "same address family",
     "facilities.alpha.networks[0].seen_as"},
    {"[\"10.1.0.0/24\"]", "[{ \"real\": \"10.1.0.0/24\" }]", "\"seen_as\" is missing", "facilities.alpha.networks[0]"},
    {"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=",
     "not a WireGuard public key", "facilities.alpha.tunnel.public_key"},
    {"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D==",
     "not a WireGuard public key", "facilities.alpha.tunnel.public_key"},
    {"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "placeholder",
     "facilities.alpha.tunnel.public_key"},
    {"\"wireguard\"", "\"wiregard\"", "did you mean \"wireguard\"?", "facilities.alpha.tunnel.protocol"},
    {"\"2030-03-31\"", "\"2030-02-30\"", "is not a date", "facilities.alpha.tunnel.exception.until"},
    {"\"2030-03-31\"", "\"2030/03/31\"", "is not a date", "facilities.alpha.tunnel.exception.until"},
    {"\"approved_by\": \"a\"", "\"approved_by\": \" \"", "empty", "facilities.alpha.tunnel.exception.approved_by"},
    {"\"reason\": \"r\", \"approved_by\": \"a\"", "\"approved_by\": \"a\"", "\"reason\" is missing",
     "facilities.alpha.tunnel.exception"},
    {"\"source\": [\"198.51.100.1\"]", "\"source\": [\"198.51.100.1\"], \"remote_id\": \"x\"", "does not belong",
     "facilities.alpha.tunnel.remote_id"},
    {"\"source\": [\"198.51.100.1\"]", "\"source\": [\"198.51.100.1\"], \"endpoint\": \"198.51.100.1\"",
     "address with a port", "facilities.alpha.tunnel.endpoint"},
    // references
    {"[\"karte\"]", "[\"kartee\"]", "did you mean \"karte\"?", "facilities.alpha.may_use[0]"},
    {"[\"karte\"]", "[\"karte\", \"karte\"]", "stands twice", "facilities.alpha.may_use[1]"},
    {"\"from\": \"beta\"", "\"from\": \"betta\"", "did you mean \"beta\"?", "exchanges[0].from"},
    {"\"to\": \"alpha\"", "\"to\": \"alhpa\"", "did you mean \"alpha\"?", "exchanges[0].to"},
    {"\"to\": \"alpha\"", "\"to\": \"beta\"", "with itself", "exchanges[0].to"},
    {"\"offer\": \"images\"", "\"offer\": \"image\"", "did you mean \"images\"?", "exchanges[0].offer"},
    {"\"reason\": \"r\", \"until\": \"2030-03-31\" }\n", "\"reason\": \"r\", \"until\": \"2020-03-31\" }\n",
     "has ended", "exchanges[0].until"},
    {"\"beta\": {", "\"karte\": {", "a facility and a service are both called", "facilities.karte"},
    {"\"beta\": {", "\"outside\": {", "is reserved", "facilities.outside"},
    // addresses
    {"[\"10.2.0.0/24\"]", "[\"10.1.0.0/24\"]",
     "10.1.0.0/24 of facility \"beta\" is also a network of facility \"alpha\"", "facilities.beta.networks[0]"},
    {"[\"10.2.0.0/24\"]", "[\"10.1.0.128/25\"]", "lies inside 10.1.0.0/24", "facilities.beta.networks[0]"},
    {"[\"10.2.0.0/24\"]", "[\"10.0.0.0/10\"]", "lies inside 10.0.0.0/10", "facilities.alpha.networks[0]"},
    {"[\"10.2.0.0/24\"]", "[\"10.2.0.0/24\", \"10.2.0.0/25\"]", "lies inside", "facilities.beta.networks[1]"},
    {"[\"10.2.0.0/24\"]", "[{ \"real\": \"192.168.0.0/24\", \"seen_as\": \"10.1.0.0/24\" }]", "is also a network of",
     "facilities.beta.networks[0]"},
    {"[\"10.2.0.0/24\"]",
     "[{ \"real\": \"10.9.0.0/24\", \"seen_as\": \"10.2.0.0/24\" }, { \"real\": \"10.9.0.0/24\", \"seen_as\": "
     "\"10.3.0.0/24\" }]",
     "a real network of", "facilities.beta.networks[1]"},
    {"[\"10.2.0.0/24\"]", "[\"10.80.0.0/24\"]", "10.80.0.10/32 of service \"karte\" lies inside",
     "services.karte.addresses"},
    {"[\"10.2.0.0/24\"]", "[\"203.0.113.0/24\"]", "of the gateway's outside lies inside", "gateway.outside.addresses"},
    {"[\"198.51.100.2\"]", "[\"10.1.0.9\"], \"endpoint\": \"10.1.0.9:51820\"",
     "the endpoint of facility \"beta\" lies inside", "facilities.beta.tunnel.endpoint"},
    {"[\"10.1.0.5\"]", "[\"10.2.0.5\"]", "is in no network of facility \"alpha\"",
     "facilities.alpha.offers.images.addresses"},
    // tunnels
    {"\"exception\": { \"reason\": \"r\", \"approved_by\": \"a\", \"until\": \"2030-03-31\" }", "\"mtu\": 1400",
     "write \"exception\"", "facilities.alpha.tunnel.protocol"},
    {"\"approved_by\": \"a\", \"until\": \"2030-03-31\"", "\"approved_by\": \"a\", \"until\": \"2025-01-31\"",
     "exception for this WireGuard tunnel has ended", "facilities.alpha.tunnel.exception.until"},
    {"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
     "facility \"beta\" has the same public key as facility \"alpha\"", "facilities.beta.tunnel.public_key"},
    {"[\"198.51.100.2\"]", "[\"198.51.100.2\"], \"endpoint\": \"198.51.100.3:51820\"", "not among the sources",
     "facilities.beta.tunnel.endpoint"},
    // included keys and tests
    {"\"services\": {", "\"include\": [\"../x/*.json\"], \"services\": {", "cannot be included", "include[0]"},
    {"\"services\": {", "\"include\": [\"/etc/*.json\"], \"services\": {", "cannot be included", "include[0]"},
    {"\"services\": {", "\"include\": [\"*/x.json\"], \"services\": {", "cannot be included", "include[0]"},
    {"\"services\": {",
     "\"tests\": [{ \"from\": \"inside:kart\", \"to\": \"karte\", \"port\": \"icmp\", \"expect\": \"deny\" }], "
     "\"services\": {",
     "did you mean \"karte\"?", "tests[0].from"},
    {"\"services\": {",
     "\"tests\": [{ \"from\": \"beta\", \"to\": \"alpha\", \"port\": \"icmp\", \"expect\": \"deny\" }], \"services\": "
     "{",
     "\"address\" is missing", "tests[0]"},
    {"\"services\": {",
     "\"tests\": [{ \"from\": \"beta\", \"to\": \"gamma\", \"port\": \"icmp\", \"expect\": \"deny\" }], \"services\": "
     "{",
     "neither a service nor", "tests[0].to"},
    {"\"services\": {",
     "\"inside_may_reach\": [{ \"service\": \"karte\", \"facility\": \"beta\", \"offer\": \"x\" }], \"services\": {",
     "has no offer", "inside_may_reach[0].offer"},
    {"\"name\": \"dc1\"", "\"name\": \"dc1\", \"name\": \"dc2\"", "stands twice", "gateway.name"},
};

std::string many_facilities(std::size_t count, bool overlap) {
  std::string text =
      R"({"gateway": {"name": "g", "outside": {"interface": "w", "addresses": ["203.0.113.1"]}, "inside": {"interface": "d"}},
"services": {"s": {"addresses": ["192.0.2.1"], "ports": ["tcp/1"]}}, "facilities": {)";
  for (std::size_t i = 0; i < count; ++i) {
    const auto n = overlap && i + 1 == count ? i - 1 : i;
    const auto third = std::to_string(n / 256), fourth = std::to_string(n % 256);
    std::string key(40, 'A');
    for (std::size_t digit = i, at = 30; digit > 0; digit /= 26) key[at--] = static_cast<char>('A' + digit % 26);
    text += (i == 0 ? "\n\"f" : ",\n\"f") + std::to_string(i) +
            R"(": {"role": "viewing", "may_use": ["s"], "networks": ["10.)" + third + "." + fourth +
            R"(.0/24"], "tunnel": {"protocol": "wireguard", "source": ["198.51.100.1"], "public_key": "B)" + key +
            R"(AA=", "exception": {"reason": "r", "approved_by": "a", "until": "2030-01-01"}}})";
  }
  return text + "}}";
}

}  // namespace

TEST_CASE("the base has no mistake") {
  CHECK(all_text(load_text(base())) == "");
}

TEST_CASE("each mistake is named where it stands") {
  for (const auto& mistake : kMistakes) {
    CAPTURE(mistake.from, mistake.to);
    const auto text = base_with(mistake.from, mistake.to);
    const auto loaded = load_text(text);
    CAPTURE(all_text(loaded));
    const auto diagnostic = found(loaded, mistake.words);
    CHECK(diagnostic.key_path == mistake.key_path);
    CHECK(diagnostic.severity == Severity::kError);
    check_positions(loaded, {{"sekisho.json", text}});
  }
}

TEST_CASE("what two things do wrong names both") {
  const auto overlap = found(load_text(base_with("[\"10.2.0.0/24\"]", "[\"10.1.0.0/24\"]")), "is also a network");
  REQUIRE(overlap.also.size() == 1);
  CHECK(overlap.also[0].key_path == "facilities.alpha.networks[0]");
  CHECK(overlap.also[0].at == Position{0, 13, 20});
  CHECK(to_text(overlap, {"sekisho.json"}) ==
        "sekisho.json:25:20: error: facilities.beta.networks[0]: 10.1.0.0/24 of facility \"beta\" is also a network of "
        "facility "
        "\"alpha\" (give one of the two a unique prefix: { \"real\": ..., \"seen_as\": ... })\n"
        "  sekisho.json:13:20: the other: facilities.alpha.networks[0]");
  auto text = base_with("\"source\": [\"198.51.100.1\"]",
                        "\"preshared_key_file\": \"keys/x.psk\", \"source\": [\"198.51.100.1\"]");
  const std::string second = "\"source\": [\"198.51.100.2\"]";
  text.replace(text.find(second), second.size(), "\"preshared_key_file\": \"keys/x.psk\", " + second);
  const auto shared = found(load_text(text), "same preshared key file");
  CHECK(shared.also.at(0).key_path == "facilities.alpha.tunnel.preshared_key_file");
}

TEST_CASE("the same name in two files names both") {
  const SourceFile main{"sekisho.json", base()};
  const SourceFile more{"facilities.d/beta.json",
                        R"({ "facilities": { "beta": { "role": "viewing", "networks": ["10.3.0.0/24"],
 "tunnel": { "protocol": "wireguard", "public_key": "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=", "source": ["192.0.2.1"],
 "exception": { "reason": "r", "approved_by": "a", "until": "2030-03-31" } } } } })"};
  const auto loaded = load({main, more}, kNow);
  const auto diagnostic = found(loaded, "a second facility");
  CHECK(diagnostic.at == Position{1, 1, 19});
  CHECK(diagnostic.also.at(0).at.file == 0);
  CHECK(error_count(loaded) == 1);
}

TEST_CASE("a facility that is there twice, with all it holds, is one error that names both places") {
  auto text = base();
  const auto from = text.find("    \"beta\": {"), to = text.find("  \"exchanges\"");
  const auto beta = text.substr(from, text.rfind("    }", to) + 5 - from);
  const auto loaded = load({{"sekisho.json", text}, {"copy.json", "{ \"facilities\": {\n" + beta + "\n} }"}}, kNow);
  CHECK(error_count(loaded) == 1);
  const auto diagnostic = found(loaded, "a second facility");
  CHECK(diagnostic.at == Position{1, 2, 5});
  CHECK(diagnostic.also.at(0).at == Position{0, 23, 5});
}

TEST_CASE("offloads: all but those that are forbidden") {
  CHECK(load_text(base()).config.gateway.offloads == Offloads{});
  for (const char* const key : {"tun_tcp", "tun_udp", "udp_segment", "udp_gro"}) {
    const auto text =
        base_with("\"name\": \"dc1\",", std::string("\"name\": \"dc1\", \"offloads\": { \"") + key + "\": false },");
    const auto read = load_text(text).config.gateway.offloads;
    const std::string name = key;
    CHECK(read == Offloads{name != "tun_tcp", name != "tun_udp", name != "udp_segment", name != "udp_gro"});
  }
}

TEST_CASE("live: how often, and whether it is put back") {
  CHECK(load_text(base()).config.gateway.live == LiveCheck{600, true});
  const auto text =
      base_with("\"name\": \"dc1\",", "\"name\": \"dc1\", \"live\": { \"every_seconds\": 30, \"repair\": false },");
  CHECK(load_text(text).config.gateway.live == LiveCheck{30, false});
  for (const char* const bad : {"29", "86401", "\"5m\""}) {
    const auto read = load_text(base_with(
        "\"name\": \"dc1\",", std::string("\"name\": \"dc1\", \"live\": { \"every_seconds\": ") + bad + " },"));
    CHECK(has_errors(read.diagnostics));
  }
}

TEST_CASE("limits of records: what stands there is read, the rest has its default") {
  CHECK(load_text(base()).config.gateway.records == RecordLimits{});
  const auto text =
      base_with("\"name\": \"dc1\",", "\"name\": \"dc1\", \"records\": { \"budget_mib\": 7, \"file_mib\": 3 },");
  const auto& records = load_text(text).config.gateway.records;
  CHECK(records.budget_mib == 7);
  CHECK(records.file_mib == 3);
  CHECK(records.keep_free_mib == RecordLimits{}.keep_free_mib);
}

TEST_CASE("an include that names no file is a warning at its place") {
  const auto text = base_with("\"services\"", "\"include\": [\"a.json\", \"facilities.d/*.jsn\"],\n  \"services\"");
  CHECK(load({{"sekisho.json", text}}, kNow, {}).diagnostics.empty());
  const auto loaded = load({{"sekisho.json", text}}, kNow, {"facilities.d/*.jsn"});
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].severity == Severity::kWarning);
  CHECK(loaded.diagnostics[0].key_path == "include[1]");
  CHECK(loaded.diagnostics[0].at.line == 7);
}

TEST_CASE("interfaces and outside addresses that the machine does not have are warnings, each at its place") {
  const auto loaded = load_text(base());
  CHECK(check_host(loaded.config, {{"lo", "wan0", "dc0"}, {*IpAddress::parse("203.0.113.10")}}).empty());
  const auto dark =
      check_host(loaded.config, {{"lo", "wan0", "dc0"}, {*IpAddress::parse("203.0.113.10")}, {"lo", "dc0"}});
  REQUIRE(dark.size() == 1);
  CHECK(dark[0].severity == Severity::kWarning);
  CHECK(dark[0].key_path == "gateway.inside.interface");
  CHECK(dark[0].message == "the interface \"dc0\" has no link");
  const HostFacts moved{{"lo", "wan1", "dc0"}, {*IpAddress::parse("203.0.113.10")}};
  CHECK(check_host(loaded.config, moved, {"wan0", "dc0"})[0].severity == Severity::kWarning);  // gone since
  const auto refused = check_host(loaded.config, moved, {"wan1", "dc0"});
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].severity == Severity::kError);
  CHECK(refused[0].message == "this machine has no interface \"wan0\"; the gateway runs on \"wan1\"");
  const auto found = check_host(loaded.config, {{"lo", "wan1"}, {*IpAddress::parse("203.0.113.11")}});
  REQUIRE(found.size() == 3);
  for (const auto& each : found) CHECK(each.severity == Severity::kWarning);
  CHECK(to_text(found[0], {"sekisho.json"}).starts_with("sekisho.json:4:31: warning: gateway.outside.interface: "));
  CHECK(found[0].hint.find("\"wan1\"") != std::string::npos);
  CHECK(found[1].message.find("203.0.113.10") != std::string::npos);
  CHECK(found[2].key_path == "gateway.inside.interface");
  CHECK(found[2].at == Position{0, 5, 30});
}

TEST_CASE("an included file may not hold what only the main file holds") {
  const auto loaded = load({{"a", base()}, {"b", "{ \"gateway\": {}, \"include\": [] }"}}, kNow);
  CHECK(error_count(loaded) == 2);
  CHECK(found(loaded, "\"gateway\" may stand in the main file only").at == Position{1, 1, 14});
}

TEST_CASE("all mistakes are shown at once, sorted") {
  auto text = base_with("\"dc1\"", "7");
  text.replace(text.find("10.1.0.0/24"), 11, "10.1.0.1/24");
  text.replace(text.find("\"beta\", \"to\""), 6, "\"bet\"");
  const auto loaded = load_text(text);
  REQUIRE(error_count(loaded) == 3);
  CHECK(loaded.diagnostics[0].at.line == 3);
  CHECK(loaded.diagnostics[1].at.line == 13);
  CHECK(loaded.diagnostics[2].at.line == 35);
}

TEST_CASE("a broken file silences the checks across files, not its neighbours") {
  const auto loaded = load({{"a", base()}, {"b", "{ \"services\": "}, {"c", "{ \"servces\": {} }"}}, kNow);
  CHECK(error_count(loaded) == 2);
  CHECK(found(loaded, "ends too early").at.file == 1);
  CHECK(found(loaded, "did you mean \"services\"?").at.file == 2);
}

TEST_CASE("warnings do not refuse") {
  const auto open = load_text(base_with("\"source\": [\"198.51.100.1\"],", ""));
  CHECK_FALSE(has_errors(open.diagnostics));
  CHECK(found(open, "may call from any address").key_path == "facilities.alpha.tunnel");
  CHECK_FALSE(has_errors(load_text(base_with("\"disclosing\"", "\"viewing\"")).diagnostics));
  CHECK(found(load_text(base_with("\"disclosing\"", "\"viewing\"")), "its role is").severity == Severity::kWarning);
  CHECK(found(load_text(base_with("[\"198.51.100.1\"]", "[\"0.0.0.0/0\"]")), "any address").severity ==
        Severity::kWarning);
}

namespace {

// alpha as an IKEv2 facility; `tunnel` is what stands beside the protocol.
std::string ikev2_alpha(const std::string& tunnel) {
  auto text = base_with(
      "\"protocol\": \"wireguard\",\n        \"public_key\": \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\",",
      "\"protocol\": \"ikev2\", " + tunnel + ",");
  const std::string exception =
      ",\n        \"exception\": { \"reason\": \"r\", \"approved_by\": \"a\", \"until\": \"2030-03-31\" }";
  text.replace(text.find(exception), exception.size(), "");
  return text;
}
const std::string kPsk = "\"remote_id\": \"fqdn:a.example\", \"authentication\": { \"psk_file\": \"keys/a.psk\" }";

}  // namespace

TEST_CASE("an IKEv2 tunnel is bound and checked") {
  const auto loaded = load_text(ikev2_alpha(kPsk + ", \"endpoint\": \"198.51.100.1\", \"encapsulation\": \"udp\""));
  REQUIRE(error_count(loaded) == 0);
  const auto& tunnel = loaded.config.facilities.front().tunnel;
  CHECK(tunnel.ikev2.remote_id == "fqdn:a.example");
  CHECK(tunnel.ikev2.remote_id_at.line == tunnel.at.line + 1);  // for who looks closer at identities later
  CHECK(tunnel.ikev2.endpoint->to_string() == "198.51.100.1");
  CHECK(tunnel.ikev2.encapsulation == config::Encapsulation::kUdp);
  CHECK(found(loaded, "ipsec-strict asks for certificates").severity == Severity::kWarning);
  CHECK(found(load_text(ikev2_alpha(kPsk + ", \"exception\": {}")), "does not belong").key_path ==
        "facilities.alpha.tunnel.exception");
  CHECK(found(load_text(ikev2_alpha(kPsk + ", \"endpoint\": \"192.0.2.9\"")), "not among the sources").key_path ==
        "facilities.alpha.tunnel.endpoint");
}

TEST_CASE("what an IKEv2 tunnel may not say") {
  const auto refused = [](const std::string& tunnel, const std::string& words) {
    return found(load_text(ikev2_alpha(tunnel)), words).key_path;
  };
  const std::string id = "\"remote_id\": \"fqdn:a.example\", ";
  CHECK(refused("\"remote_id\": \"a.example\", \"authentication\": { \"psk_file\": \"k\" }", "no identity of IKEv2") ==
        "facilities.alpha.tunnel.remote_id");
  CHECK(refused(id + "\"authentication\": {}", "exactly one of") == "facilities.alpha.tunnel.authentication");
  CHECK(refused(id + "\"authentication\": { \"psk_file\": \"k\", \"revocation\": \"required\" }",
                "about certificates") == "facilities.alpha.tunnel.authentication.revocation");
  CHECK(refused(id + "\"authentication\": { \"certificate_authority_file\": \"ca.pem\" }", "the gateway has none") ==
        "facilities.alpha.tunnel.authentication");
  CHECK(refused(kPsk + ", \"algorithm_exceptions\": [{ \"algorithm\": \"MODP-2048\", \"reason\": \"r\", "
                       "\"approved_by\": \"a\", \"until\": \"2020-01-01\" }]",
                "has ended") == "facilities.alpha.tunnel.algorithm_exceptions[0].until");
  CHECK(refused(kPsk + ", \"ppk\": { \"id\": \"p\" }", "\"file\" is missing") == "facilities.alpha.tunnel.ppk");
}

TEST_CASE("an identity of IKEv2 has a kind") {
  for (const char* good : {"fqdn:rtx.hakodate.example", "ip:198.51.100.7", "ip:2001:db8::7", "email:a@b.example",
                           "keyid:0a1B", "dn:CN=rtx, O=Hakodate"})
    CHECK(config::IkeIdentityText::parse(good).has_value());
  for (const char* bad : {"", "rtx", "fqdn:", "fqdn:a b", "ip:198.51.100", "email:@b", "email:a@", "keyid:0a1",
                          "keyid:xy", "dn:rtx", "FQDN:a"})
    CHECK_FALSE(config::IkeIdentityText::parse(bad).has_value());
}

TEST_CASE("a date holds to the end of its day in Japan") {
  const auto text = base_with("\"approved_by\": \"a\", \"until\": \"2030-03-31\"",
                              "\"approved_by\": \"a\", \"until\": \"2026-01-01\"");
  const WallTime end{std::chrono::seconds(1767279600)};  // 2026-01-01 15:00 UTC
  CHECK_FALSE(has_errors(load({{"f", text}}, end - std::chrono::nanoseconds(1)).diagnostics));
  CHECK(has_errors(load({{"f", text}}, end).diagnostics));
}

TEST_CASE("ten thousand facilities load, and one overlap among them is found") {
  const auto loaded = load_text(many_facilities(kMaxFacilities, false));
  CHECK(all_text(loaded) == "");
  CHECK(loaded.config.facilities.size() == kMaxFacilities);
  const auto clash = load_text(many_facilities(kMaxFacilities, true));
  CHECK(error_count(clash) == 1);
  CHECK(found(clash, "is also a network of").at.line == kMaxFacilities + 2);
  CHECK(found(load_text(many_facilities(kMaxFacilities + 1, false)), "too many").key_path == "facilities");
}

TEST_CASE("diagnostics are bounded and counted") {
  std::string text = "{";
  for (int i = 0; i < 2000; ++i) text += (i == 0 ? "\"k" : ",\n\"k") + std::to_string(i) + "\": 1";
  const auto loaded = load_text(text + "}");
  CHECK(error_count(loaded) == kMaxDiagnostics + 1);
  CHECK(loaded.diagnostics.back().message == "1501 more errors are not shown");
}

TEST_CASE("did you mean") {
  CHECK(did_you_mean("tunel", {"title", "tunnel"}) == "did you mean \"tunnel\"?");
  CHECK(did_you_mean("ot", {"to", "from"}) == "did you mean \"to\"?");
  CHECK(did_you_mean("zzzzz", {"to", "from"}).empty());
  CHECK(did_you_mean("", {"to"}).empty());
}
