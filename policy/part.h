// A plan cut down to what has a say about packets between some addresses. For questions about one pair of a plan of
// 10,000 facilities: every layer compiled from the part answers about those addresses as one compiled from the whole
// does, and so does decide().
#pragma once

#include <vector>

#include "policy/plan.h"

namespace policy {

// Any two of `ends`, both ways. Rows that cover a pair; rows of the facilities that hold an end which name another
// (IKEv2 selectors know the whole of a facility); one row of each sort that makes an end known as one; the facilities
// these name, the routes that hold an end. All the rest is as in `plan`, in its order.
[[nodiscard]] Plan part_about(const Plan& plan, const std::vector<IpAddress>& ends);

}  // namespace policy
