// One document into GatewayConfig. What is wrong goes to the report and is left out of the configuration; what two
// things mean together is not judged here (check.h).
#pragma once

#include "config/document.h"
#include "config/gateway_config.h"
#include "config/report.h"

namespace config {

enum class FileRole : std::uint8_t { kMain, kIncluded };

void bind_document(const Node& root, FileRole role, GatewayConfig& config, Report& report);

// Its parts.
[[nodiscard]] Gateway bind_gateway(const Node& node, Report& report);
[[nodiscard]] Facility bind_facility(const Member& member, Report& report);
[[nodiscard]] Tunnel bind_tunnel(const Node& node, Report& report);

// An include pattern stays below the main file's directory and has wildcards in its last part only.
[[nodiscard]] bool good_include_pattern(std::string_view pattern);

}  // namespace config
