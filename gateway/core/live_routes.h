// Routes and routing rules as the kernel has them, against those of the plan, by what they do: for each side where
// packets come in, which leave by which interface. For live_proof.cc.
#pragma once

#include <vector>

#include "gateway/core/live_proof.h"
#include "policy/kernel_routes.h"
#include "policy/plan.h"

namespace gateway::core {

[[nodiscard]] std::vector<LiveDifference> route_differences(const policy::Plan& plan,
                                                            const policy::KernelRoutes& found);

}  // namespace gateway::core
