// Broken on purpose, thousands of times: every truncation, every key removed, mistyped, doubled or given a wrong type,
// and random octets. Never a crash; an error always has a place; and what must be wrong is never accepted.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "tests/config/support.h"

using namespace config_test;
using namespace config;
using Json = nlohmann::ordered_json;

namespace {

std::vector<SourceFile> with_text(const Example& example, std::size_t index, std::string text) {
  auto files = example.files;
  files[index].text = std::move(text);
  return files;
}

Loaded load_checked(const std::vector<SourceFile>& files) {
  auto loaded = load(files, kNow);
  check_positions(loaded, files);
  (void)include_patterns(parse_main(files[0]));
  return loaded;
}

// Every object key of the document, as a pointer.
void collect(const Json& node, const Json::json_pointer& at, std::vector<Json::json_pointer>& out) {
  if (node.is_object())
    for (const auto& [key, value] : node.items()) {
      out.push_back(at / key);
      collect(value, at / key, out);
    }
  if (node.is_array())
    for (std::size_t i = 0; i < node.size(); ++i) collect(node[i], at / i, out);
}

template <class Change>
std::size_t for_each_key(Change change) {
  std::size_t count = 0;
  for (const auto& example : examples()) {
    for (std::size_t file = 0; file < example.files.size(); ++file) {
      const auto document = Json::parse(example.files[file].text, nullptr, true, true);
      std::vector<Json::json_pointer> keys;
      collect(document, Json::json_pointer(), keys);
      for (const auto& key : keys) {
        CAPTURE(example.name, file, key.to_string());
        change(example, file, document, key);
        ++count;
      }
    }
  }
  return count;
}

// Keys whose absence leaves a good configuration (perhaps with a warning), by their last part. Everything else is
// missed, by itself or by what refers to it.
bool may_be_absent(const Json::json_pointer& key) {
  static const std::set<std::string> optional = {"$schema",
                                                 "title",
                                                 "may_use",
                                                 "source",
                                                 "via",
                                                 "crypto_profile",
                                                 "wireguard",
                                                 "private_key_file",
                                                 "port",
                                                 "mtu",
                                                 "tunnel_mtu",
                                                 "endpoint",
                                                 "tests",
                                                 "include",
                                                 "persistent_keepalive_seconds",
                                                 "preshared_key_file",
                                                 "exchanges",
                                                 "local_id",
                                                 "revocation_list_file",  // the shell looks for the lists
                                                 "inside_may_reach"};
  return optional.contains(key.back());
}

bool names_a_thing(const Json::json_pointer& key) {
  const auto parent = key.parent_pointer();
  return !parent.empty() && (parent.back() == "facilities" || parent.back() == "services" || parent.back() == "offers");
}

}  // namespace

TEST_CASE("each key removed") {
  const auto count =
      for_each_key([](const Example& example, std::size_t file, Json document, const Json::json_pointer& key) {
        document[key.parent_pointer()].erase(key.back());
        const auto loaded = load_checked(with_text(example, file, document.dump(1)));
        const bool refers =
            names_a_thing(key) || key.back() == "services" || key.back() == "facilities" || key.back() == "offers";
        if (!refers && !may_be_absent(key)) CHECK(has_errors(loaded.diagnostics));
      });
  CHECK(count > 100);
}

TEST_CASE("each key mistyped") {
  for_each_key([](const Example& example, std::size_t file, Json document, const Json::json_pointer& key) {
    auto& parent = document[key.parent_pointer()];
    auto value = parent[key.back()];
    parent.erase(key.back());
    parent[key.back() + "x"] = value;
    const auto loaded = load_checked(with_text(example, file, document.dump(1)));
    if (!names_a_thing(key)) CHECK(has_errors(loaded.diagnostics));
  });
}

TEST_CASE("each value of a wrong kind") {
  for (const auto* wrong :
       {"true", "null", "-1", "1.5", "[[]]", "{\"x\":{}}", "\"\\u0000\"", "1e400", "99999999999999999999"}) {
    CAPTURE(wrong);
    for_each_key([&](const Example& example, std::size_t file, Json document, const Json::json_pointer& key) {
      document[key] = "@@";
      auto text = document.dump(1);
      text.replace(text.find("\"@@\""), 4, wrong);
      CHECK(has_errors(load_checked(with_text(example, file, text)).diagnostics));
    });
  }
}

TEST_CASE("each key doubled") {
  for_each_key([](const Example& example, std::size_t file, Json document, const Json::json_pointer& key) {
    const auto value = document[key].dump();
    document[key] = "@@";
    auto text = document.dump(1);
    text.replace(text.find("\"@@\""), 4, value + ", \"" + key.back() + "\": " + value);
    const auto loaded = load_checked(with_text(example, file, text));
    REQUIRE(error_count(loaded) == 1);
    CHECK(found(loaded, "stands twice").also.size() == 1);
  });
}

TEST_CASE("every truncation") {
  for (const auto& example : examples()) {
    for (std::size_t file = 0; file < example.files.size(); ++file) {
      const auto& text = example.files[file].text;
      const auto end = text.rfind('}');  // what follows is white space
      for (std::size_t length = 0; length <= end; ++length) {
        CAPTURE(example.name, file, length);
        const auto loaded = load_checked(with_text(example, file, text.substr(0, length)));
        REQUIRE(has_errors(loaded.diagnostics));
      }
    }
  }
}

TEST_CASE("random octets") {
  std::mt19937 random(20260401);  // fixed: a failure repeats
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const auto& example = examples()[random() % examples().size()];
    const auto file = random() % example.files.size();
    auto text = example.files[file].text;
    for (auto flips = 1 + random() % 3; flips > 0; --flips)
      text[random() % text.size()] = static_cast<char>(random() % 256);
    CAPTURE(round, text);
    refused += has_errors(load_checked(with_text(example, file, text)).diagnostics) ? 1u : 0u;
  }
  CHECK(refused > 1000);
}

TEST_CASE("files of random octets") {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string text(random() % 300, '\0');
    for (auto& c : text)
      c = static_cast<char>(round % 2 == 0 ? random() % 256 : "{}[]\",:/* \n1ae-.\\u"[random() % 19]);
    CHECK(has_errors(load_checked({{"f", text}}).diagnostics));
  }
}
