// See support.h.
#include "tests/config/support.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

namespace config_test {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string example_directory() {
  return std::string(SEKISHO_SOURCE_DIR) + "/config/examples/";
}

const std::vector<Example>& examples() {
  static const auto all = [] {
    const auto file = [](const std::string& name) {
      return config::SourceFile{name, read_file(example_directory() + name)};
    };
    return std::vector<Example>{{"minimal", {file("minimal.json")}},
                                {"ipv6", {file("ipv6.json")}},
                                {"two-hospitals",
                                 {file("two-hospitals/sekisho.json"), file("two-hospitals/facilities.d/hakodate.json"),
                                  file("two-hospitals/facilities.d/matsumae.json")}},
                                {"ikev2", {file("ikev2.json")}}};
  }();
  return all;
}

config::Loaded load_text(std::string_view text) {
  return config::load({{"sekisho.json", std::string(text)}}, kNow);
}

std::string base() {
  return R"({
  "gateway": {
    "name": "dc1",
    "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] },
    "inside": { "interface": "dc0" }
  },
  "services": {
    "karte": { "addresses": ["10.80.0.10"], "ports": ["tcp/443"] }
  },
  "facilities": {
    "alpha": {
      "role": "disclosing",
      "networks": ["10.1.0.0/24"],
      "may_use": ["karte"],
      "offers": { "images": { "addresses": ["10.1.0.5"], "ports": ["tcp/104"] } },
      "tunnel": {
        "protocol": "wireguard",
        "public_key": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
        "source": ["198.51.100.1"],
        "exception": { "reason": "r", "approved_by": "a", "until": "2030-03-31" }
      }
    },
    "beta": {
      "role": "viewing",
      "networks": ["10.2.0.0/24"],
      "tunnel": {
        "protocol": "wireguard",
        "public_key": "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
        "source": ["198.51.100.2"],
        "exception": { "reason": "r", "approved_by": "b", "until": "2030-03-31" }
      }
    }
  },
  "exchanges": [
    { "from": "beta", "to": "alpha", "offer": "images", "reason": "r", "until": "2030-03-31" }
  ]
})";
}

std::string base_with(std::string_view from, std::string_view to) {
  auto text = base();
  const auto at = text.find(from);
  CAPTURE(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string all_text(const config::Loaded& loaded) {
  std::string out;
  for (const auto& diagnostic : loaded.diagnostics) out += config::to_text(diagnostic, loaded.config.files) + "\n";
  return out;
}

std::size_t error_count(const config::Loaded& loaded) {
  return static_cast<std::size_t>(std::count_if(loaded.diagnostics.begin(), loaded.diagnostics.end(),
                                                [](const auto& d) { return d.severity == config::Severity::kError; }));
}

config::Diagnostic found(const config::Loaded& loaded, std::string_view words) {
  for (const auto& diagnostic : loaded.diagnostics)
    if ((diagnostic.message + diagnostic.hint).find(words) != std::string::npos) return diagnostic;
  FAIL("no diagnostic says \"" << words << "\" in:\n" << all_text(loaded));
  return {};
}

void check_positions(const config::Loaded& loaded, const std::vector<config::SourceFile>& files) {
  const auto exists = [&](const config::Position& at) {
    if (at.file >= files.size() || at.line < 1 || at.column < 1) return false;
    const auto& text = files[at.file].text;
    return at.line <= 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) &&
           at.column <= text.size() + 1;
  };
  for (const auto& diagnostic : loaded.diagnostics) {
    if (exists(diagnostic.at) && !diagnostic.message.empty()) continue;
    FAIL("a diagnostic without a place: " << config::to_text(diagnostic, loaded.config.files));
  }
}

}  // namespace config_test
