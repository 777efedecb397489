// Reads `nft -a -s -t list ruleset`: every table of the kernel, its chains and rules in the kernel's own words, without
// elements. The text is remote input: anything odd is a returned error. Elements: listing.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "firewall/listing.h"
#include "firewall/rule_set.h"

namespace firewall {

struct KernelRuleText {
  std::string text;
  std::uint64_t handle = 0;
};

struct KernelChain {
  std::string name;
  std::string type, hook, device;  // "filter", "forward"; empty for a jump target
  int priority = 0;
  std::string policy;  // "accept" or "drop"
  std::vector<KernelRuleText> rules;
};

struct KernelTable {
  std::string family, name;
  std::string flags;  // "dormant", "owner,persist"; "iptables-legacy"
  std::vector<KernelChain> chains;
  std::vector<Set> sets;            // without elements
  std::vector<std::string> others;  // "counter detour", "flowtable f"
};

// Its chains are there, and the kernel asks none of them.
[[nodiscard]] bool is_dormant(const KernelTable& table);

// Of iptables before nftables: the kernel lists none of its rules, so whoever found one writes it behind the listing.
[[nodiscard]] std::string legacy_table(const std::string& family, const std::string& name);
[[nodiscard]] bool is_legacy(const KernelTable& table);

[[nodiscard]] config::value::Result<std::vector<KernelTable>, std::string> read_ruleset(std::string_view text);

// The table as passing.h reads it: hooks in our writing, and the elements of `sets`.
[[nodiscard]] RuleSet installed(const KernelTable& table, const std::vector<ListedSet>& sets);
// "type filter hook forward priority 0; policy drop;"; empty for a jump target.
[[nodiscard]] std::string hook_text(const KernelChain& chain);

// "table inet sekisho, chain forward: \"ct state invalid drop\" (handle 12)".
[[nodiscard]] std::string place_of(const KernelTable& table, const KernelChain& chain, const KernelRuleText& rule);

}  // namespace firewall
