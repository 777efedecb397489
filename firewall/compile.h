// Plan -> RuleSet: the whole table `inet sekisho`. Which packets pass is said by maps of permissions, looked up with
// the flow's ORIGINAL tuple on every packet, so a removed permission stops a live flow and an unchanged one never
// notices. Not here: text of a transaction (render.h), differences (diff.h), reading the kernel (listing.h).
#pragma once

#include "firewall/rule_set.h"
#include "policy/plan.h"

namespace firewall {

[[nodiscard]] RuleSet compile(const policy::Plan& plan);

// What stands before the daemon and after it: nothing is forwarded, nothing comes out of or goes into sekisho0.
[[nodiscard]] RuleSet closed_rule_set();

}  // namespace firewall
