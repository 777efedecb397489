// The parameter sheet for the people at the facility and their router's vendor: one HTML page for paper, no resources
// of elsewhere, every value escaped. The preshared key is not in it and never was here.
#pragma once

#include "gateway/router/page.h"
#include "gateway/router/router_config.h"

namespace gateway::router {

// `vendor`: the sheet shows the one choice made for it; null: everything the gateway accepts, best first.
[[nodiscard]] Result<std::string, std::string> sheet(const Facts& facts, const Vendor* vendor, Language language,
                                                     const Made& made);

}  // namespace gateway::router
