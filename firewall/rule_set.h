// The nftables table `inet sekisho` as a value: what must be in the kernel, before any text. Sorted and comparable.
// Who may pass is in set elements, so that cost does not grow with the number of facilities; the chains are fixed text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/plan.h"

namespace firewall {

// A set or map of the table. `type` is nft's own expression.
struct Set {
  std::string name;
  std::string kind;                   // "set" or "map"
  std::string type;                   // "ipv4_addr . ipv4_addr : mark", as after nft's word `type`
  std::string flags;                  // "interval", "dynamic,timeout", or empty
  std::vector<std::string> elements;  // nft text of each, sorted, unique
  std::string limits = {};            // "size 65535; timeout 10s;", or empty
  // The kernel's rules put elements into it, the plan none.
  [[nodiscard]] bool is_dynamic() const { return flags.starts_with("dynamic"); }
  friend bool operator==(const Set&, const Set&) = default;
};

struct Chain {
  std::string name;
  std::string hook;                // "type filter hook forward priority 0; policy drop;", empty for a jump target
  std::vector<std::string> rules;  // nft text, in order
  friend bool operator==(const Chain&, const Chain&) = default;
};

struct RuleSet {
  std::vector<std::string> counters;  // named counters, one for each refusal reason; sorted
  std::vector<Set> sets;              // by name
  std::vector<Chain> chains;          // in the order they must be added
  friend bool operator==(const RuleSet&, const RuleSet&) = default;
};

}  // namespace firewall
