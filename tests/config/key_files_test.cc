// What is said about key files, from facts alone.
#include <catch2/catch.hpp>

#include "tests/config/support.h"

using namespace config_test;
using namespace config;

namespace {

using State = KeyFileFact::State;

GatewayConfig two_with_keys() {
  return load(examples()[2].files, kNow).config;  // gateway.key, hakodate.psk, matsumae.psk
}

std::vector<KeyFileFact> good_facts() {
  return {{"keys/gateway.key", State::kGood, "aa", "cHVibGlj", ""},
          {"keys/hakodate.psk", State::kGood, "bb", "", ""},
          {"keys/matsumae.psk", State::kGood, "cc", "", ""}};
}

}  // namespace

TEST_CASE("every key file is referenced once") {
  CHECK(referenced_key_files(two_with_keys()) ==
        std::vector<std::string>{"keys/gateway.key", "keys/hakodate.psk", "keys/matsumae.psk"});
}

TEST_CASE("good key files give no diagnostic") {
  CHECK(check_key_files(two_with_keys(), good_facts()).empty());
}

TEST_CASE("each bad state is an error at its owner") {
  const auto config = two_with_keys();
  for (const auto state :
       {State::kMissing, State::kUnreadable, State::kOpenToOthers, State::kMalformed, State::kWeak}) {
    auto facts = good_facts();
    facts[1].state = state;
    facts[1].detail = "mode 0644";
    const auto found = check_key_files(config, facts);
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == Severity::kError);
    CHECK(found[0].key_path == "facilities.hakodate.tunnel.preshared_key_file");
    CHECK(found[0].message.find("keys/hakodate.psk: mode 0644") != std::string::npos);
    CHECK(found[0].at == config.facilities[0].tunnel.at);
  }
}

TEST_CASE("a file nobody looked at is not taken for good") {
  auto facts = good_facts();
  facts.pop_back();
  REQUIRE(check_key_files(two_with_keys(), facts).size() == 1);
}

TEST_CASE("one secret in two files names both owners") {
  auto facts = good_facts();
  facts[2].fingerprint = facts[1].fingerprint;
  const auto found = check_key_files(two_with_keys(), facts);
  REQUIRE(found.size() == 1);
  CHECK(found[0].key_path == "facilities.matsumae.tunnel.preshared_key_file");
  REQUIRE(found[0].also.size() == 1);
  CHECK(found[0].also[0].key_path == "facilities.hakodate.tunnel.preshared_key_file");
}

TEST_CASE("the gateway's own public key at a facility is found") {
  const auto config = two_with_keys();
  auto facts = good_facts();
  facts[0].public_key = config.facilities[0].tunnel.wireguard.public_key;
  const auto found = check_key_files(config, facts);
  REQUIRE(found.size() == 1);
  CHECK(found[0].key_path == "facilities.hakodate.tunnel.public_key");
}
