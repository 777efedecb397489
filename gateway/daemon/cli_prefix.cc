// sekisho facility suggest-prefix: the next free prefix under which a facility can be seen, as the lines for its file.
// Writes nothing.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/free_prefix.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_facility.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/host_networks.h"

namespace gateway::daemon::cli {
namespace {

using config::Prefix;
using config::TakenPrefix;
using config::value::Family;
using config::value::Result;

constexpr std::size_t kMostTakenShown = 20, kMostWanted = 64;

int failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho facility suggest-prefix: {}\n", printable_lines(sentence));
  return kCouldNotRun;
}

// What is to be found: for a real network, or of a size alone.
struct Wanted {
  std::optional<Prefix> real;
  std::uint8_t length = 24;
  Family family = Family::kV4;
};

struct Found {
  Wanted wanted;
  Prefix seen_as;
  std::string collides;  // whose the real network is too; empty: nobody's
};

Result<std::vector<Prefix>, std::string> prefixes_of(const CommandLine& line, const char* option) {
  std::vector<Prefix> out;
  for (const auto& text : line.values(option)) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) return std::unexpected(std::string(option) + ": " + prefix.error());
    out.push_back(*prefix);
  }
  return out;
}

// "24" or "/24". Above 32 it can only be IPv6's.
Result<std::uint8_t, std::string> length_of(std::string text) {
  if (text.starts_with('/')) text.erase(0, 1);
  unsigned length = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), length);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || length == 0 || length > 128)
    return std::unexpected("--size needs a prefix length, as /24 or /64, not '" + text + "'");
  return static_cast<std::uint8_t>(length);
}

Result<std::vector<Wanted>, std::string> wanted_of(const CommandLine& line, const std::vector<Prefix>& pools) {
  std::vector<Wanted> out;
  for (const auto& real : TRY(prefixes_of(line, "--real")))
    out.push_back({real, real.length(), real.address().family()});
  if (out.size() > kMostWanted) return std::unexpected("--real is given too often: a facility has 64 networks at most");
  if (!out.empty() && line.has("--size"))
    return std::unexpected("--real says the size already: leave --size out, or --real");
  if (!out.empty()) return out;
  if (!line.has("--size"))
    return std::unexpected("say for which network, --real 192.168.1.0/24, or how large, --size /24");
  const auto length = TRY(length_of(line.value("--size")));
  const bool no_v4 = std::ranges::none_of(pools, [](const Prefix& pool) { return pool.address().is_v4(); });
  const auto family = length > 32 || (no_v4 && !pools.empty()) ? Family::kV6 : Family::kV4;
  out.push_back({std::nullopt, length, family});
  return out;
}

// Two networks that overlap are what this command is for; with any other error the configuration is not known whole.
Result<config::GatewayConfig, int> read_config(const CommandLine& line) {
  auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  const auto other = [](const config::Diagnostic& each) {
    return each.severity == config::Severity::kError && !each.overlap;
  };
  if (std::ranges::none_of(loaded.diagnostics, other)) return std::move(loaded.config);
  for (const auto& each : loaded.diagnostics)
    if (other(each)) fmt::print(stderr, "{}\n", config::to_text(each, loaded.config.files));
  if (loaded.unreadable) return std::unexpected(print_unreadable("facility suggest-prefix"));
  return std::unexpected(
      failed("the configuration has errors, so what is taken is not known whole; put them right first"));
}

std::vector<Prefix> pools_of(const config::GatewayConfig& config, const std::vector<Prefix>& named) {
  if (!named.empty()) return named;
  auto pools = config.gateway.seen_as_pools;
  const auto is_v4 = [](const Prefix& pool) { return pool.address().is_v4(); };
  if (std::ranges::none_of(pools, is_v4)) pools.push_back(config::default_pool4());
  return pools;
}

std::string pools_text(const std::vector<Prefix>& pools, Family family) {
  std::string text;
  for (const auto& pool : pools)
    if (pool.address().family() == family) text += (text.empty() ? "" : ", ") + pool.to_string();
  return text;
}

std::string owner_of(const Prefix& real, const std::vector<TakenPrefix>& taken) {
  for (const auto& each : taken)
    if (each.prefix.overlaps(real)) return each.prefix.to_string() + ", " + each.what;
  return {};
}

std::optional<Prefix> find(const Wanted& wanted, const std::vector<Prefix>& pools,
                           const std::vector<TakenPrefix>& taken) {
  for (const auto& pool : pools)
    if (pool.address().family() == wanted.family)
      if (const auto found = config::next_free(pool, wanted.length, taken)) return found;
  return std::nullopt;
}

// Says what stands in the pools, and gives the status.
int print_full(const Wanted& wanted, const std::vector<Prefix>& pools, const std::vector<TakenPrefix>& taken) {
  const auto text = pools_text(pools, wanted.family);
  if (text.empty())
    return failed(
        "no pool for IPv6 is known: name one of yours with --from fd12:3456:789a::/48 (RFC 4193: its 40 bits are "
        "random), "
        "or write it into gateway.seen_as_pools");
  fmt::print(stderr, "sekisho facility suggest-prefix: no /{} is free in {}; taken there:\n", wanted.length, text);
  std::size_t shown = 0, more = 0;
  for (const auto& each : taken) {
    const auto inside = [&](const Prefix& pool) { return pool.overlaps(each.prefix); };
    if (std::ranges::none_of(pools, inside)) continue;
    ++shown <= kMostTakenShown ? fmt::print(stderr, "  {}  {}\n", each.prefix.to_string(), printable(each.what))
                               : void(++more);
  }
  if (more > 0) fmt::print(stderr, "  and {} more\n", more);
  fmt::print(stderr, "name another pool with --from PREFIX, or in gateway.seen_as_pools\n");
  return kFindings;
}

void print_found(const CommandLine& line, const std::vector<Prefix>& pools, const std::vector<Found>& found) {
  if (line.json()) {
    Json json{{"version", kControlVersion}, {"pools", Json::array()}, {"networks", Json::array()}};
    for (const auto& pool : pools) json["pools"].push_back(pool.to_string());
    for (const auto& each : found)
      json["networks"].push_back({{"real", each.wanted.real ? Json(each.wanted.real->to_string()) : Json()},
                                  {"seen_as", each.seen_as.to_string()},
                                  {"collides_with", each.collides.empty() ? Json() : Json(each.collides)}});
    fmt::print("{}", one_line(json));
    return;
  }
  if (!found.front().wanted.real) {
    fmt::print("\"seen_as\": \"{}\"\n", found.front().seen_as.to_string());
    return;
  }
  fmt::print("\"networks\": [\n");
  for (std::size_t i = 0; i < found.size(); ++i)
    fmt::print("  {{ \"real\": \"{}\", \"seen_as\": \"{}\" }}{}\n", found[i].wanted.real->to_string(),
               found[i].seen_as.to_string(), i + 1 < found.size() ? "," : "");
  fmt::print("]\n");
  for (const auto& each : found)
    if (each.collides.empty())
      fmt::print(stderr, "note: {} is nobody else's: it may stand there without seen_as\n",
                 each.wanted.real->to_string());
}

}  // namespace

int facility_suggest_prefix(const CommandLine& line) {
  const auto named = prefixes_of(line, "--from"), avoided = prefixes_of(line, "--avoid");
  if (!named) return failed(named.error());
  if (!avoided) return failed(avoided.error());
  const auto config = read_config(line);
  if (!config) return config.error();
  const auto pools = pools_of(*config, *named);
  const auto wanted = wanted_of(line, *named);
  if (!wanted) return failed(wanted.error());
  auto taken = config::taken_prefixes(*config);
  const auto before = taken;
  for (const auto& each : *avoided) taken.push_back({each, "--avoid"});
  for (const auto& each : config::taken_by_host(os::host_networks(), config->gateway.inside.interface))
    taken.push_back(each);
  for (const auto& each : *wanted)
    if (each.real) taken.push_back({*each.real, "--real"});
  std::vector<Found> found;
  for (const auto& each : *wanted) {
    const auto free = find(each, pools, taken);
    if (!free) return print_full(each, pools, taken);
    found.push_back({each, *free, each.real ? owner_of(*each.real, before) : ""});
    taken.push_back({*free, "suggested"});
  }
  print_found(line, pools, found);
  return kFine;
}

}  // namespace gateway::daemon::cli
