#include "gateway/audit/rule_uses.h"

#include <algorithm>
#include <unordered_set>

namespace gateway::audit {

using config::value::WallTime;

void WatchedRules::set_plan(const policy::Plan& plan, WallTime now) {
  std::unordered_set<std::uint32_t> there;
  there.reserve(plan.permissions.size());
  for (const auto& row : plan.permissions) {
    there.insert(row.rule.number);
    if (uses_.size() >= kMost && !uses_.contains(row.rule.number)) continue;
    const auto [found, is_new] = uses_.try_emplace(row.rule.number, policy::RuleUse{now, std::nullopt});
    auto& use = found->second;
    changed_ |= is_new || use.since > now || use.last > now;
    // A clock that was ahead for a while must not keep a line in use for ever.
    use.since = std::min(use.since, now);
    if (use.last > now) use.last = now;
  }
  changed_ |= std::erase_if(uses_, [&](const auto& each) {
                const auto& [rule, use] = each;
                return !there.contains(rule) && std::max(use.since, use.last.value_or(use.since)) + kRemember < now;
              }) > 0;
}

// A clock that was set back does not make a use older.
void WatchedRules::used(std::uint32_t rule, WallTime now) {
  const auto found = uses_.find(rule);
  if (found == uses_.end() || (found->second.last && *found->second.last >= now)) return;
  found->second.last = now;
  changed_ = true;
}

void WatchedRules::used_by(const FlowTable& flows, WallTime now) {
  for (const auto& [number, flow] : flows.flows()) used(flow.rule, now);
}

}  // namespace gateway::audit
