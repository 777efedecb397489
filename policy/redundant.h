// Lines of the configuration that open nothing of their own, found while the rows still know their lines. Used by
// permissions.cc only. They are warnings: nothing is opened that should not be, but whoever takes the other line out
// believes to have closed something.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "policy/plan.h"

namespace policy {

// One line of the configuration and the rows it made: rows[begin, end).
struct PermissionLine {
  config::Position at;
  std::string key_path;
  std::size_t begin = 0, end = 0;
};

// Every line all of whose rows others allow too, at least as long: a warning each, with the places of those others.
// Of lines that cover one another the later one is named, so that without all that are named the policy is the same.
[[nodiscard]] std::vector<config::Diagnostic> shadowed(std::span<const Permission> rows,
                                                       std::span<const PermissionLine> lines);

// Lines that open a host to which nothing ever passes: the broadcast address of its network, which the data plane's
// guard refuses. A warning each, with the place of the offer that names it.
[[nodiscard]] std::vector<config::Diagnostic> unreachable(const config::GatewayConfig& config,
                                                          std::span<const Permission> rows,
                                                          std::span<const PermissionLine> lines);

}  // namespace policy
