// Which lines of the configuration are used, and which nobody has used for long: what stands open and serves nobody is
// to be closed. The uses of rows come from whoever sees flows (gateway/audit/rule_uses.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/diagnostic.h"
#include "config/gateway_config.h"
#include "policy/plan.h"

namespace policy {

struct RuleUse {
  WallTime since;                // it is watched from then on
  std::optional<WallTime> last;  // a flow by it began, or was open
  friend bool operator==(const RuleUse&, const RuleUse&) = default;
};
using RuleUses = std::unordered_map<std::uint32_t, RuleUse>;  // by number

// One line of the configuration: all rows it made.
struct LineUse {
  PermissionKind kind = PermissionKind::kService;
  FacilityName from_facility, to_facility;  // empty text: inside
  std::string name, origin;                 // "karte", "facilities.hakodate.may_use[0] (sekisho.json:14:18)"
  std::size_t rows = 0;
  std::optional<WallTime> until;
  std::optional<WallTime> since, last;  // empty: not watched yet; not used while it was watched
};

// By facility and origin. Of a line the oldest `since` and the newest `last` of its rows count.
[[nodiscard]] std::vector<LineUse> line_uses(const Plan& plan, const RuleUses& uses);

struct Unused {
  std::vector<LineUse> lines;       // watched for `days`, and not used in them
  std::size_t too_new = 0;          // not used, but not watched for so long: nothing is said of them
  std::optional<WallTime> watched;  // the earliest `since` of these
};
[[nodiscard]] Unused unused(std::span<const LineUse> lines, std::uint32_t days, WallTime now);

// A warning for each, at its place.
[[nodiscard]] std::vector<config::Diagnostic> to_warnings(const config::GatewayConfig& config, const Unused& found,
                                                          std::uint32_t days, WallTime now);

}  // namespace policy
