// A static check of a finished plan against P1-P3, independent of how it was compiled. First form: rows, prefixes,
// tables and rules each on their own; the proof over whole paths comes later. An empty answer means nothing was found.
#pragma once

#include <string>
#include <vector>

#include "policy/plan.h"

namespace policy {

struct Finding {
  std::string promise;  // "P1", "P2", "P3", "P4"
  std::string what;     // one sentence that names the row and the sides
  friend auto operator<=>(const Finding&, const Finding&) = default;
};

[[nodiscard]] std::vector<Finding> verify(const Plan& plan);

}  // namespace policy
