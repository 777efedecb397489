// What the kernel has of links, addresses, routes and routing rules: all of it, as values, by dumps of rtnetlink. Read
// only, without any right. What is not known of a route or rule makes it not plain (policy/kernel_routes.h).
#pragma once

#include <vector>

#include "gateway/core/live_state.h"
#include "gateway/os/error.h"

namespace gateway::os {

// Fills links, addresses and routes. A kernel that does not answer within seconds is an error.
[[nodiscard]] OsResult<void> read_kernel_facts(core::KernelState& state);

}  // namespace gateway::os
