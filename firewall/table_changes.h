// Which of the ways in which our table is written differently from what was installed make a difference, and which:
// opens, closes, or something that packet sets do not say. What makes none is left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"
#include "firewall/table_edits.h"
#include "firewall/table_ways.h"
#include "policy/packet_set.h"

namespace firewall {

struct TableChange {
  Edit edit;
  bool opens = false, closes = false;  // neither: something else
  std::string says;                    // "forward, sekisho0 -> dc0: 10.1.0.0 -> 10.80.0.99 tcp/22 passes"
  std::optional<policy::PacketPoint> packet;
};

struct TableVerdict {
  std::vector<TableChange> changes;
  std::size_t left_out = 0;    // of those that may be to blame: more than kMostChanges
  std::string not_understood;  // names the rule; then all that is written differently is in `changes`
};

inline constexpr std::size_t kMostChanges = 100;

[[nodiscard]] TableVerdict table_changes(const RuleSet& wanted, const RuleSet& found, const Interfaces& interfaces);

}  // namespace firewall
