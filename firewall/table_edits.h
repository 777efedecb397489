// How one table is written differently from another: rule by rule, element by element. What a difference means is
// table_changes.h.
#pragma once

#include <string>
#include <vector>

#include "firewall/rule_set.h"

namespace firewall {

struct Edit {
  enum class Kind : std::uint8_t {
    kRuleMissing,
    kRuleAdded,
    kRuleMoved,
    kChainMissing,
    kChainAdded,
    kHookChanged,
    kSetMissing,
    kSetAdded,
    kSetChanged,  // its type, flags or limits
    kElementMissing,
    kElementAdded,
    kCounterMissing,
  };
  Kind kind = Kind::kRuleMissing;
  std::string object;         // the chain, set or counter
  std::string text;           // rule, element, or hook as found
  std::size_t wanted_at = 0;  // of a rule that is missing or moved: its place in the wanted chain
  std::size_t found_at = 0;   // of a rule that is added or moved: its place in the chain as found
  std::size_t before = 0;     // and the place in the wanted chain that it now stands before
};

// What makes `found` of `wanted`. Rules are alike when their one form is (rule_words.h).
[[nodiscard]] std::vector<Edit> edits(const RuleSet& wanted, const RuleSet& found);

// `table`, which is `wanted`, with this one edit. `found` has what an edit adds.
void apply(const Edit& edit, const RuleSet& found, RuleSet& table);

}  // namespace firewall
