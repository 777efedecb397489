// Reads what libnftables lists of table inet sekisho as JSON into something that can be compared with a RuleSet. The
// kernel's text is remote input: anything odd is a returned error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"

namespace firewall {

struct ListedChain {
  std::string name;
  std::string hook;    // "forward", empty for a jump target
  std::string policy;  // "drop", empty for a jump target
  std::size_t rules = 0;
};

struct ListedSet {
  std::string name;
  std::string kind;                        // "set" or "map"
  std::vector<std::string> elements = {};  // in the writing of Set::elements, sorted
  std::string type = {}, flags = {};       // as Set::type and Set::flags
};

struct ListedCounter {
  std::string name;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct Listing {
  std::vector<ListedChain> chains;      // in the kernel's order
  std::vector<ListedSet> sets;          // by name
  std::vector<ListedCounter> counters;  // by name; refusals by reason (reasons.h)
};

// The error is a sentence for the log. A ruleset without the table is an error too. Elements as libnftables writes
// them: what element_octets.h is held against.
[[nodiscard]] config::value::Result<Listing, std::string> read_listing(std::string_view json);
// Of several such documents together, as of `nft -j list chains inet`: what they name of ours, also nothing.
[[nodiscard]] config::value::Result<Listing, std::string> read_names(const std::vector<std::string>& documents);

[[nodiscard]] bool has_form(const ListedSet& present, const Set& wanted);

// Empty: the kernel holds what `wanted` says, as far as the listing tells (rules are counted, not compared). Otherwise
// a sentence for each difference.
[[nodiscard]] std::vector<std::string> differences(const RuleSet& wanted, const Listing& present);

}  // namespace firewall
