// A software client: a terminal whose own session could be reached by a way round it (session detour,
// requirements 62.1, 63.2). It is one machine, and nobody opens anything to it: without an offer no exchange and no
// line of inside_may_reach can name it, so there is nothing to write that would.
#include <fmt/format.h>

#include "config/check.h"

namespace config {
namespace {

void check_client(const Facility& facility, Report& report) {
  for (const Network& network : facility.networks)
    if (!network.real.is_host())
      report.error(network.at,
                   fmt::format("{} is a network, and {} is a software client: one machine", network.real.to_string(),
                               quoted(facility.name.text)),
                   fmt::format("its own address alone, as \"{}\"; a site behind a router is no software client",
                               Prefix::host(network.real.address()).to_string()),
                   {report.below(facility.at, {"software_client"})});
  if (!facility.offers.empty())
    report.error(report.below(facility.at, {"offers"}),
                 fmt::format("{} is a software client and offers something: nobody may open anything to a terminal",
                             quoted(facility.name.text)),
                 "take \"offers\" out, or \"software_client\" if it is a site behind a router",
                 {report.below(facility.at, {"software_client"})});
  if (facility.role == Role::kDisclosing)
    report.error(report.below(facility.at, {"role"}),
                 fmt::format("{} is a software client, which discloses nothing", quoted(facility.name.text)),
                 "\"role\": \"viewing\"", {report.below(facility.at, {"software_client"})});
}

}  // namespace

void check_clients(const GatewayConfig& config, Report& report) {
  for (const Facility& facility : config.facilities)
    if (facility.software_client) check_client(facility, report);
}

}  // namespace config
