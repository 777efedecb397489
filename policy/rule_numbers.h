// Rule numbers made from what a row says, so that an unchanged row keeps its number through every reload.
#pragma once

#include <vector>

#include "policy/plan.h"

namespace policy {

// FNV-1a over kind, addresses, protocol and ports, folded to 31 bits, never 0. Names and end dates do not count.
[[nodiscard]] std::uint32_t content_number(const Permission& row);

// Sorts by meaning, keeps one row for each meaning (the one that ends last), numbers them. Two different rows of one
// content number: the later in order of meaning takes the next free number. The result is in the plan's order.
void number_rows(std::vector<Permission>& rows);

}  // namespace policy
