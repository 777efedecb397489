// installed -> wanted, as the smallest transaction: element deltas when only who-may-pass changed, chains as well when
// the rules did. From an empty RuleSet it is the whole installation, so start is a reload from empty.
#pragma once

#include <set>
#include <string>

#include "firewall/listing.h"
#include "firewall/rule_set.h"
#include "firewall/transaction.h"

namespace firewall {

[[nodiscard]] Transaction diff(const RuleSet& installed, const RuleSet& wanted);

// The table is there but its content is not known to be ours (netd restarted, somebody changed it): everything listed
// is removed and `wanted` put in its place, in one transaction, so that no packet sees a gap. Of sets in `kept` the
// elements are known to be as wanted: only the rules that name them are made anew.
[[nodiscard]] Transaction replace(const Listing& present, const RuleSet& wanted,
                                  const std::set<std::string>& kept = {});

}  // namespace firewall
