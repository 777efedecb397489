// A transaction whose elements go past libnftables' text (element_octets.h): text and elements cannot be of one kernel
// transaction, so only where the order of several makes no difference to any packet (docs/decisions/0017).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/element_octets.h"
#include "firewall/transaction.h"

namespace firewall {

// The elements of one set that come or go.
struct ElementChange {
  std::string set;
  std::vector<ElementOctets> gone, added;
};

struct Stages {
  Transaction before;                   // counters, and sets that no rule names yet
  std::vector<ElementChange> elements;  // one transaction
  Transaction after;
};

// None: elements of sets that are there change together with rules, or one cannot be written in octets. Then all of it
// is one transaction of text. `sets`: those that are there or are added.
[[nodiscard]] std::optional<Stages> stages(const Transaction& transaction, const std::vector<Set>& sets);

// What makes the set hold `wanted.elements` when it holds `present`; both sorted. The error: an element that cannot be
// written in octets.
[[nodiscard]] config::value::Result<ElementChange, std::string> element_change(const Set& wanted,
                                                                               const std::vector<std::string>& present);

}  // namespace firewall
