#include "firewall/compile.h"

#include "firewall/chains.h"
#include "firewall/elements.h"

namespace firewall {

RuleSet compile(const policy::Plan& plan) {
  return {refusal_counters(), sets_of(plan), chains_of(plan)};
}

RuleSet closed_rule_set(const std::string& outside_interface) {
  return {refusal_counters(), {}, closed_chains(outside_interface)};
}

}  // namespace firewall
