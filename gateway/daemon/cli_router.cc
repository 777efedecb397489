// sekisho facility router-config NAME, sekisho facility sheet NAME: what the other end is told. Key files are not
// opened: a preshared key cannot get into either.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "gateway/daemon/cli_facility.h"
#include "gateway/daemon/cli_gateway.h"
#include "gateway/daemon/cli_keys.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/state_files.h"
#include "gateway/router/sheet.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Result;
namespace r = gateway::router;

int failed(const CommandLine& line, const std::string& sentence) {
  fmt::print(stderr, "sekisho facility {}: {}\n", line.words[0], printable(sentence));
  return kCouldNotRun;
}

std::string did_you_mean(const std::string& word, std::span<const std::string_view> names) {
  const auto near = nearest(word, names);
  return near.empty() ? "" : ", did you mean '" + near + "'";
}

Result<const r::Vendor*, std::string> vendor_of(const CommandLine& line) {
  const auto name = line.value("--vendor");
  if (const auto* vendor = r::vendor_named(name)) return vendor;
  std::vector<std::string_view> names;
  for (const auto& vendor : r::vendors()) names.push_back(vendor.name);
  return std::unexpected((name.empty() ? "--vendor is missing" : "no vendor is called '" + name + "'") +
                         did_you_mean(name, names) + "; there are " + vendor_names(", ", true));
}

struct AskedFor {
  config::GatewayConfig config;
  r::Facts facts;
};

Result<AskedFor, std::string> facts_of(const CommandLine& line) {
  auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  if (config::has_errors(loaded.diagnostics))
    return std::unexpected("the configuration has errors; 'sekisho check' shows them");
  const auto& name = line.words[1];
  std::vector<std::string_view> names;
  for (const auto& facility : loaded.config.facilities) names.push_back(facility.name.text);
  if (std::ranges::find(names, name) == names.end())
    return std::unexpected("no facility is called '" + name + "'" + did_you_mean(name, names));
  auto facts = TRY(r::facts_of(loaded.config, name, os::wall_now()));
  return AskedFor{std::move(loaded.config), std::move(facts)};
}

// Of the gateway that runs here with this configuration; empty when none answers.
std::string generation_of(const CommandLine& line) {
  const auto asked = ask(line, {{"verb", "status"}}, 2);
  if (!asked || !asked->answer.contains("result")) return "";
  return text_at(asked->answer["result"], "generation");
}

r::Made made_of(const CommandLine& line, const AskedFor& what) {
  r::Made made{os::wall_now(), generation_of(line), ""};
  if (what.facts.protocol != config::TunnelProtocol::kWireguard) return made;
  const auto& file = what.config.gateway.wireguard.private_key_file;
  const auto slash = line.config_file().rfind('/');
  const auto folder = slash == std::string::npos ? std::string(".") : line.config_file().substr(0, slash);
  const auto key = public_key_of(file.starts_with('/') ? file : folder + "/" + file);
  if (key) made.gateway_public_key = *key;
  return made;
}

int hand_out(const CommandLine& line, const std::string& text, const std::vector<std::string>& notes) {
  const auto path = line.value("--out");
  if (!path.empty())
    if (auto made = os::create_file(path, text, 0640); !made)
      return failed(line, made.error().number == EEXIST ? path + " is there already and is not overwritten"
                                                        : made.error().to_string());
  if (line.json()) {
    Json json{{"version", kControlVersion}, {"facility", line.words[1]}, {"notes", notes}};
    if (path.empty())
      json["text"] = text;
    else
      json["file"] = path;
    fmt::print("{}", one_line(json));
    return kFine;
  }
  for (const auto& note : notes) fmt::print(stderr, "note: {}\n", printable(note));
  fmt::print("{}", path.empty() ? text : path + "\n");
  return kFine;
}

}  // namespace

std::string vendor_names(std::string_view between, bool with_wireguard) {
  std::string text;
  for (const auto& vendor : r::vendors()) {
    if (vendor.wireguard && !with_wireguard) continue;
    if (!text.empty()) text += between;
    text += vendor.name;
  }
  return text;
}

int facility_router_config(const CommandLine& line) {
  const auto vendor = vendor_of(line);
  if (!vendor) return failed(line, vendor.error());
  const auto what = facts_of(line);
  if (!what) return failed(line, what.error());
  const auto part = line.has("--filter") ? r::Part::kFilter : r::Part::kConfiguration;
  const auto text = r::router_config(what->facts, **vendor, part, made_of(line, *what));
  return text ? hand_out(line, text->text, text->notes) : failed(line, text.error());
}

int facility_sheet(const CommandLine& line) {
  const auto language = line.value("--lang", "ja");
  if (language != "ja" && language != "en") return failed(line, "'" + language + "' is no language: ja or en");
  const r::Vendor* vendor = nullptr;
  if (line.has("--vendor")) {
    const auto named = vendor_of(line);
    if (!named) return failed(line, named.error());
    vendor = *named;
  }
  const auto what = facts_of(line);
  if (!what) return failed(line, what.error());
  const auto text = r::sheet(what->facts, vendor, language == "ja" ? r::Language::kJapanese : r::Language::kEnglish,
                             made_of(line, *what));
  return text ? hand_out(line, *text, {}) : failed(line, text.error());
}

int facility(const CommandLine& line) {
  const auto& what = line.words[0];
  if (what == "suggest-prefix") {
    if (line.words.size() == 1) return facility_suggest_prefix(line);
    fmt::print(stderr, "sekisho facility suggest-prefix: '{}' is too much; it takes no NAME\n", line.words[1]);
    return kCouldNotRun;
  }
  if (line.words.size() == 1 && (what == "add" || what == "router-config" || what == "sheet")) {
    fmt::print(stderr, "sekisho facility {0}: the facility's name is missing: sekisho facility {0} NAME\n", what);
    return kCouldNotRun;
  }
  if (what == "add") return facility_add(line);
  if (what == "router-config") return facility_router_config(line);
  if (what == "sheet") return facility_sheet(line);
  fmt::print(stderr, "sekisho facility: '{}' is none of add, router-config, sheet, suggest-prefix{}\n", what,
             did_you_mean(what, std::vector<std::string_view>{"add", "router-config", "sheet", "suggest-prefix"}));
  return kCouldNotRun;
}

}  // namespace gateway::daemon::cli
