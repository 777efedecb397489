// The addresses of this machine's interfaces with the networks they are of.
#pragma once

#include <vector>

#include "config/free_prefix.h"

namespace gateway::os {

// None when the kernel does not tell.
[[nodiscard]] std::vector<config::HostNetwork> host_networks();

}  // namespace gateway::os
