// sekisho facility suggest-prefix: what is free, what is taken, and what is not known.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/gateway/cli_told.h"
#include "tests/gateway/network_namespace.h"

using namespace gateway::daemon;
using gateway::tests::has;
using gateway::tests::Told;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

std::string facility(const std::string& name, const std::string& networks) {
  return "\"" + name + R"(": { "title": "x", "role": "viewing", "networks": [)" + networks +
         R"(], "may_use": ["karte"], "tunnel": { "protocol": "ikev2", "remote_id": "fqdn:)" + name +
         R"(", "source": ["198.51.100.7"], "authentication": { "psk_file": "keys/)" + name + R"(.psk" } } })";
}

std::string site(const std::string& gateway, const std::string& facilities) {
  return R"({ "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }, "crypto_profile": "ipsec-compat")" +
         gateway + R"( }, "services": { "karte": { "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
  "facilities": { )" +
         facilities + " } }";
}

struct Site {
  std::string folder;
  explicit Site(const std::string& text) {
    char name[] = "/tmp/acd-prefix-XXXXXX";
    folder = mkdtemp(name);
    std::ofstream(folder + "/sekisho.json") << text;
  }
  ~Site() { fs::remove_all(folder); }
  [[nodiscard]] Told suggest(Words words) const {
    words.insert(words.begin(), {"facility", "suggest-prefix"});
    words.insert(words.end(), {"--config", folder + "/sekisho.json"});
    return gateway::tests::told(folder, words);
  }
};

const std::string kOne = facility("hakodate", R"({ "real": "192.168.1.0/24", "seen_as": "100.64.0.0/24" })");

}  // namespace

TEST_CASE("cli: suggest-prefix prints the lines for the file, the lowest that is free, the same each time") {
  const Site one(site("", kOne));
  const auto found = one.suggest({"--real", "192.168.1.0/24"});
  INFO(found.err);
  CHECK(found.status == cli::kFine);
  CHECK(found.out == "\"networks\": [\n  { \"real\": \"192.168.1.0/24\", \"seen_as\": \"100.64.1.0/24\" }\n]\n");
  CHECK(one.suggest({"--real", "192.168.1.0/24"}).out == found.out);
  // What it prints is taken by a configuration and is then no longer free.
  const auto second = facility("matsumae", R"({ "real": "192.168.1.0/24", "seen_as": "100.64.1.0/24" })");
  const Site two(site("", kOne + ", " + second));
  CHECK(has(two.suggest({"--real=192.168.1.0/24"}).out, "100.64.2.0/24"));
}

TEST_CASE("cli: suggest-prefix finds several networks, both families and sizes alone") {
  const Site one(site(R"(, "seen_as_pools": ["100.80.0.0/16", "fd12:3456:789a::/48"])", kOne));
  const auto found =
      one.suggest({"--real", "192.168.1.0/24", "--real", "192.168.2.0/25", "--real", "fd00:1::/64", "--json"});
  INFO(found.err);
  CHECK(found.status == cli::kFine);
  const auto json = nlohmann::json::parse(found.out);
  CHECK(json["version"] == 1);
  REQUIRE(json["networks"].size() == 3);
  CHECK(json["networks"][0]["seen_as"] == "100.80.0.0/24");
  CHECK(json["networks"][1]["seen_as"] == "100.80.1.0/25");
  CHECK(json["networks"][2]["seen_as"] == "fd12:3456:789a::/64");
  CHECK(has(json["networks"][0]["collides_with"], "hakodate"));
  CHECK(json["networks"][1]["collides_with"].is_null());
  CHECK(one.suggest({"--size", "/26"}).out == "\"seen_as\": \"100.80.0.0/26\"\n");
  CHECK(one.suggest({"--size", "64"}).out == "\"seen_as\": \"fd12:3456:789a::/64\"\n");
  CHECK(one.suggest({"--size", "24", "--avoid", "100.80.0.0/17"}).out == "\"seen_as\": \"100.80.128.0/24\"\n");
  CHECK(has(one.suggest({"--real", "172.20.0.0/24"}).err, "nobody else's"));
}

TEST_CASE("cli: suggest-prefix stays clear of services, their neighbours, the real network itself and special ranges") {
  const Site one(site("", kOne));
  CHECK(one.suggest({"--size", "25", "--from", "10.80.0.0/23"}).out == "\"seen_as\": \"10.80.1.0/25\"\n");
  CHECK(has(one.suggest({"--real", "100.64.1.0/24"}).out, "\"seen_as\": \"100.64.2.0/24\""));
  CHECK(one.suggest({"--size", "25", "--from", "203.0.113.0/24"}).status == cli::kFindings);
}

TEST_CASE("cli: suggest-prefix proposes nothing of the networks this machine stands in") {
  const gateway::tests::NetworkNamespace own;
  REQUIRE(gateway::tests::stranger("ip address add 100.64.0.1/30 dev dc0") == 0);
  REQUIRE(gateway::tests::stranger("ip address add 100.65.3.1/16 dev wan0") == 0);
  const Site one(site("", facility("hakodate", "\"192.168.1.0/24\"")));
  // dc0's other hosts are beside it, whatever the length of its own network is.
  CHECK(one.suggest({"--size", "26"}).out == "\"seen_as\": \"100.64.1.0/26\"\n");
  const auto full = one.suggest({"--size", "24", "--from", "100.65.0.0/16"});
  CHECK(full.status == cli::kFindings);
  CHECK(has(full.err, "100.65.0.0/16  the network of wan0 of this machine"));
  CHECK(has(one.suggest({"--size", "24", "--from", "100.64.0.0/24"}).err, "the network around dc0 of this machine"));
}

TEST_CASE("cli: suggest-prefix says what is taken when a pool is full") {
  const Site one(site("", kOne));
  const auto full = one.suggest({"--size", "24", "--from", "100.64.0.0/24"});
  CHECK(full.status == cli::kFindings);
  CHECK(has(full.err,
            "no /24 is free in 100.64.0.0/24; taken there:\n  100.64.0.0/24  seen_as of facility \"hakodate\""));
  CHECK(full.out.empty());
  CHECK(one.suggest({"--size", "16", "--from", "100.64.0.0/24"}).status == cli::kFindings);
}

TEST_CASE("cli: suggest-prefix works on the very overlap it is for, but not on what is not known whole") {
  const Site overlap(site("", facility("a", "\"192.168.1.0/24\"") + ", " + facility("b", "\"192.168.1.0/24\"")));
  const auto found = overlap.suggest({"--real", "192.168.1.0/24"});
  INFO(found.err);
  CHECK(found.status == cli::kFine);
  CHECK(has(found.out, "100.64.0.0/24"));
  const Site broken(site("", facility("a", "\"192.168.1.0/24\", \"10.0.0.1/8\"")));
  CHECK(broken.suggest({"--size", "24"}).status == cli::kCouldNotRun);
  CHECK(has(broken.suggest({"--size", "24"}).err, "what is taken is not known whole"));
  const Site none("{");
  CHECK(none.suggest({"--size", "24"}).status == cli::kCouldNotRun);
}

TEST_CASE("cli: suggest-prefix says what is wrong with what it is asked") {
  const Site one(site("", kOne));
  for (const auto& [words, sentence] :
       std::vector<std::pair<Words, std::string>>{{{}, "say for which network"},
                                                  {{"--size", "0"}, "--size needs a prefix length"},
                                                  {{"--size", "129"}, "--size needs a prefix length"},
                                                  {{"--size", "x"}, "--size needs a prefix length"},
                                                  {{"--real", "192.168.1.5/24"}, "--real: "},
                                                  {{"--from", "nothing", "--size", "24"}, "--from: "},
                                                  {{"--real", "192.168.1.0/24", "--size", "24"}, "leave --size out"},
                                                  {{"--size", "64"}, "no pool for IPv6 is known"},
                                                  {{"hakodate"}, "it takes no NAME"}}) {
    const auto found = one.suggest(words);
    INFO(sentence << ": " << found.err);
    CHECK(found.status == cli::kCouldNotRun);
    CHECK(has(found.err, sentence));
  }
}
