// sekisho facility VERB NAME: one file for what makes a facility, one for what its router is told.
#pragma once

#include <string>
#include <string_view>

#include "gateway/daemon/cli.h"

namespace gateway::daemon::cli {

int facility_add(const CommandLine&);            // cli_facility.cc
int facility_router_config(const CommandLine&);  // cli_router.cc
int facility_sheet(const CommandLine&);
int facility_suggest_prefix(const CommandLine&);  // cli_prefix.cc
[[nodiscard]] std::string vendor_names(std::string_view between, bool with_wireguard);

}  // namespace gateway::daemon::cli
