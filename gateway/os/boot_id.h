// Which start of this machine it is: the kernel makes the number anew at each boot.
#pragma once

#include <string>

#include "gateway/os/error.h"

namespace gateway::os {

// "c2c0b5d4-…" (36 characters), of /proc/sys/kernel/random/boot_id.
[[nodiscard]] OsResult<std::string> boot_id();

}  // namespace gateway::os
