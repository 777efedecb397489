// When each permission was last used, watched by who sees every flow begin: exact also when a flow is only summed on
// record, and when the record files of that time have been moved away. Days are what matters; hours may be lost.
#pragma once

#include "gateway/audit/flow_table.h"
#include "policy/line_use.h"

namespace gateway::audit {

class WatchedRules {
 public:
  // What a plan does not have any more is remembered so long: a rollback, or the end of a drill, brings it back.
  static constexpr auto kRemember = std::chrono::hours(24 * 400);
  static constexpr std::size_t kMost = 1'000'000;

  WatchedRules() = default;
  explicit WatchedRules(policy::RuleUses uses) : uses_(std::move(uses)) {}

  // New rows are watched from `now` on.
  void set_plan(const policy::Plan& plan, config::value::WallTime now);
  // A flow began by the rule. One that no plan had is none of ours.
  void used(std::uint32_t rule, config::value::WallTime now);
  // Those of open flows are in use, however long ago the flows began.
  void used_by(const FlowTable& flows, config::value::WallTime now);

  [[nodiscard]] const policy::RuleUses& uses() const { return uses_; }
  [[nodiscard]] bool changed() const { return changed_; }
  void kept() { changed_ = false; }

 private:
  policy::RuleUses uses_;
  bool changed_ = false;
};

}  // namespace gateway::audit
