#include "firewall/compile.h"

#include "firewall/chains.h"
#include "firewall/elements.h"

namespace firewall {

RuleSet compile(const policy::Plan& plan) {
  return {refusal_counters(), sets_of(plan), chains_of(plan)};
}

RuleSet closed_rule_set() {
  RuleSet out{refusal_counters(), {}, drop_chains()};
  out.chains.push_back({"forward", "type filter hook forward priority 0; policy drop;", {"goto drop_not_permitted"}});
  out.chains.push_back(
      {"input", "type filter hook input priority 0; policy accept;", {"iifname \"sekisho0\" goto drop_to_gateway"}});
  out.chains.push_back({"output",
                        "type filter hook output priority 0; policy accept;",
                        {"oifname \"sekisho0\" goto drop_not_permitted"}});
  return out;
}

}  // namespace firewall
