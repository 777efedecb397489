// Plan -> RuleSet: the whole table `inet sekisho`. Which packets pass is said by maps of permissions, looked up with
// the flow's ORIGINAL tuple on every packet, so a removed permission stops a live flow and an unchanged one never
// notices. Not here: text of a transaction (render.h), differences (diff.h), reading the kernel (listing.h).
#pragma once

#include "firewall/rule_set.h"
#include "policy/plan.h"

namespace firewall {

[[nodiscard]] RuleSet compile(const policy::Plan& plan);

// What stands before the daemon and after it: nothing is forwarded, nothing comes out of or goes into sekisho0, and
// from outside nothing reaches the gateway but what keeps IP working and answers to its own questions. An empty name:
// the outside interface is not known (no plan ever ran on this host), then input is as open as the host was without us.
[[nodiscard]] RuleSet closed_rule_set(const std::string& outside_interface);

}  // namespace firewall
