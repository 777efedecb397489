// Addresses that two things claim. Prefixes either nest or are apart, so after sorting, a stack of the networks around
// the current one finds every overlap in one sweep.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "config/check.h"

namespace config {
namespace {

enum class Claim : std::uint8_t { kNetwork, kOther };  // at one address, networks come first

struct Claimant {
  Prefix prefix;
  Claim claim;
  std::string what;  // "facility \"hakodate\""
  Position at;
};

bool earlier(const Claimant& a, const Claimant& b) {
  const auto key = [](const Claimant& c) { return std::tie(c.prefix, c.claim, c.at.file, c.at.line, c.at.column); };
  return key(a) < key(b);
}

void report_overlap(const Claimant& inner, const Claimant& outer, std::string_view kind, Report& report) {
  const bool same = inner.prefix == outer.prefix;
  report.overlap(inner.at,
                 same ? fmt::format("{} of {} is also {} of {}", inner.prefix.to_string(), inner.what, kind, outer.what)
                      : fmt::format("{} of {} lies inside {}, {} of {}", inner.prefix.to_string(), inner.what,
                                    outer.prefix.to_string(), kind, outer.what),
                 inner.claim == Claim::kNetwork
                     ? "give one of the two a unique prefix: { \"real\": ..., \"seen_as\": ... }"
                     : "a packet to it would go into the tunnel",
                 outer.at);
}

// Only what lies inside a network conflicts: two services may share a host.
void sweep(std::vector<Claimant> claimants, std::string_view kind, Report& report) {
  std::sort(claimants.begin(), claimants.end(), earlier);
  std::vector<const Claimant*> around;
  for (const auto& claimant : claimants) {
    while (!around.empty() && !around.back()->prefix.contains(claimant.prefix)) around.pop_back();
    if (!around.empty()) report_overlap(claimant, *around.back(), kind, report);
    if (claimant.claim == Claim::kNetwork) around.push_back(&claimant);
  }
}

std::string named(std::string_view kind, std::string_view name) {
  return fmt::format("{} {}", kind, quoted(name));
}

void add_gateway(const GatewayConfig& config, std::vector<Claimant>& out, const Report& report) {
  const auto& gateway = config.gateway;
  const auto outside = report.below(gateway.at, {"outside", "addresses"});
  for (const auto& address : gateway.outside.addresses)
    out.push_back({Prefix::host(address), Claim::kOther, "the gateway's outside", outside});
  const auto via = report.below(gateway.at, {"inside", "via"});
  for (const auto& address : gateway.inside.next_hops)
    out.push_back({Prefix::host(address), Claim::kOther, "the router inside", via});
}

void check_seen(const GatewayConfig& config, Report& report) {
  std::vector<Claimant> claimants;
  add_gateway(config, claimants, report);
  for (const auto& service : config.services)
    for (const auto& address : service.addresses)
      claimants.push_back({Prefix::host(address), Claim::kOther, named("service", service.name.text),
                           report.below(service.at, {"addresses"})});
  for (const auto& facility : config.facilities) {
    const auto what = named("facility", facility.name.text);
    for (const auto& network : facility.networks)
      claimants.push_back({network.seen_as, Claim::kNetwork, what, network.at});
    if (const auto& endpoint = facility.tunnel.wireguard.endpoint)
      claimants.push_back({Prefix::host(endpoint->address), Claim::kOther, "the endpoint of " + what,
                           report.below(facility.tunnel.at, {"endpoint"})});
  }
  sweep(std::move(claimants), "a network", report);
}

// Two real networks of one facility that overlap would be translated two ways. Untranslated ones are seen already.
void check_real(const Facility& facility, Report& report) {
  const bool translated = std::any_of(facility.networks.begin(), facility.networks.end(),
                                      [](const Network& n) { return n.real != n.seen_as; });
  if (!translated) return;
  std::vector<Claimant> claimants;
  for (const auto& network : facility.networks)
    claimants.push_back({network.real, Claim::kNetwork, named("facility", facility.name.text), network.at});
  sweep(std::move(claimants), "a real network", report);
}

void check_offers(const Facility& facility, Report& report) {
  if (facility.networks.empty()) return;  // reported when it was bound
  for (const auto& offer : facility.offers) {
    for (const auto& address : offer.addresses) {
      const auto holds = [&](const Network& network) { return network.real.contains(address); };
      if (std::any_of(facility.networks.begin(), facility.networks.end(), holds)) continue;
      const auto seen = std::find_if(facility.networks.begin(), facility.networks.end(),
                                     [&](const Network& network) { return network.seen_as.contains(address); });
      const auto hint = seen == facility.networks.end()
                            ? std::string("an offer names hosts of its own facility")
                            : fmt::format("an offer names real addresses: {}",
                                          value::translate(address, seen->seen_as, seen->real).to_string());
      report.error(report.below(offer.at, {"addresses"}),
                   fmt::format("{} is in no network of facility {}", address.to_string(), quoted(facility.name.text)),
                   hint, {report.below(facility.at, {"networks"})});
    }
  }
}

}  // namespace

void check_prefixes(const GatewayConfig& config, Report& report) {
  check_seen(config, report);
  for (const auto& facility : config.facilities) {
    check_real(facility, report);
    check_offers(facility, report);
  }
}

}  // namespace config
