// The schema and the binding know the same keys, object by object; and every key in the list is really read.
#include <catch2/catch.hpp>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include <algorithm>
#include "config/keys.h"
#include "tests/config/support.h"

using namespace config_test;

namespace {

using Keys = std::set<std::string>;

const nlohmann::json& schema() {
  static const auto parsed =
      nlohmann::json::parse(read_file(std::string(SEKISHO_SOURCE_DIR) + "/config/sekisho.schema.json"));
  return parsed;
}

Keys keys_of(const nlohmann::json& object) {
  Keys keys;
  for (const auto& [key, value] : object.at("properties").items()) keys.insert(key);
  return keys;
}

Keys keys_of(const config::KeyList& list) {
  return {list.keys.begin(), list.keys.end()};
}

}  // namespace

TEST_CASE("schema and binding know the same keys") {
  std::set<std::string> bound;
  for (const auto& list : config::keys::kAll) {
    const std::string name(list.object);
    CAPTURE(name);
    const auto& object = name.empty() ? schema() : schema().at("$defs").at(name);
    CHECK(keys_of(object) == keys_of(list));
    CHECK(object.at("additionalProperties") == false);
    bound.insert(name);
  }
  for (const auto& [name, definition] : schema().at("$defs").items()) {
    CAPTURE(name);
    if (definition.contains("properties") && name != "included_file") CHECK(bound.contains(name));
  }
  auto included = keys_of(config::keys::kMain);
  included.erase("gateway");
  included.erase("include");
  CHECK(keys_of(schema().at("$defs").at("included_file")) == included);
}

TEST_CASE("every key is read: a value of a wrong kind in it is an error") {
  // Each of these texts holds one object with the key under test; a key that is listed but never read would pass.
  const std::map<std::string, std::pair<const char*, const char*>> places = {
      {"", {"{", "}"}},
      {"gateway", {"{\"gateway\": {", "}}"}},
      {"outside", {"{\"gateway\": {\"outside\": {", "}}}"}},
      {"inside", {"{\"gateway\": {\"inside\": {", "}}}"}},
      {"wireguard_listener", {"{\"gateway\": {\"wireguard\": {", "}}}"}},
      {"records", {"{\"gateway\": {\"records\": {", "}}}"}},
      {"offloads", {"{\"gateway\": {\"offloads\": {", "}}}"}},
      {"live", {"{\"gateway\": {\"live\": {", "}}}"}},
      {"service", {"{\"services\": {\"s\": {", "}}}"}},
      {"facility", {"{\"facilities\": {\"f\": {", "}}}"}},
      {"translated_network", {"{\"facilities\": {\"f\": {\"networks\": [{", "}]}}}"}},
      {"offer", {"{\"facilities\": {\"f\": {\"offers\": {\"o\": {", "}}}}}"}},
      {"tunnel", {"{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": \"PROTOCOL\", ", "}}}}"}},
      {"exception", {"{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": \"wireguard\", \"exception\": {", "}}}}}"}},
      {"authentication",
       {"{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": \"ikev2\", \"authentication\": {CERTIFICATE", "}}}}}"}},
      {"ikev2_gateway", {"{\"gateway\": {\"ikev2\": {", "}}}"}},
      {"ppk", {"{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": \"ikev2\", \"ppk\": {", "}}}}}"}},
      {"algorithm_exception",
       {"{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": \"ikev2\", \"algorithm_exceptions\": [{", "}]}}}}"}},
      {"exchange", {"{\"exchanges\": [{", "}]}"}},
      {"inside_may_reach", {"{\"inside_may_reach\": [{", "}]}"}},
      {"test", {"{\"tests\": [{", "}]}"}}};
  for (const auto& list : config::keys::kAll) {
    for (const auto key : list.keys) {
      CAPTURE(list.object, key);
      const auto& [before, after] = places.at(std::string(list.object));
      std::string text = before + ("\"" + std::string(key) + "\": true") + after;
      constexpr std::string_view kOfIkev2[] = {"remote_id",     "local_id", "authentication",
                                               "encapsulation", "ppk",      "algorithm_exceptions"};
      const bool ikev2 = std::ranges::find(kOfIkev2, key) != std::end(kOfIkev2);
      const bool own = key == "psk_file" || key == "certificate_authority_file";
      if (const auto at = text.find("CERTIFICATE"); at != std::string::npos)
        text.replace(at, 11, own ? "" : "\"certificate_authority_file\": \"ca.pem\", ");
      if (const auto at = text.find("PROTOCOL"); at != std::string::npos)
        text.replace(at, 8, ikev2 ? "ikev2" : "wireguard");
      if (list.object == "tunnel" && key == "protocol")
        text = "{\"facilities\": {\"f\": {\"tunnel\": {\"protocol\": true}}}}";
      const bool boolean =
          key == "required" || key == "repair" || key == "software_client" || list.object == "offloads";
      if (boolean) text.replace(text.find("true"), 4, "7");
      const auto diagnostic = found(load_text(text), boolean ? ", found a number" : ", found true or false");
      CHECK(diagnostic.key_path.ends_with(key));
    }
  }
}
