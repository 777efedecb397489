// A quick check of a finished plan against P1-P3, independent of how it was compiled: rows, prefixes, tables and rules
// each on their own, as netd does before it touches the kernel. An empty answer means nothing was found. The proof over
// whole paths and all packets is gateway/core/proof.h.
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
