// What a process gives up for good before it looks at anything from outside (design 6). Irrevocable; call early.
#pragma once

#include <cstdint>

#include "gateway/core/messages.h"
#include "gateway/os/error.h"

namespace gateway::os {

// A set of CAP_* as bits. netd keeps CAP_NET_ADMIN, CAP_NET_BIND_SERVICE and CAP_NET_RAW, everyone else nothing.
[[nodiscard]] std::uint64_t capabilities_of(core::ProcessRole role);

// What sekisho-wg keeps: marks and forced buffers, and ports below 1024.
[[nodiscard]] std::uint64_t wg_capabilities();

// No new privileges, bounding and ambient sets emptied, permitted = effective = `keep` and of what is there now.
[[nodiscard]] OsResult<void> keep_only_capabilities(std::uint64_t keep);

// Effective | permitted | inheritable | bounding of this process: what could still be had. For tests and for status.
[[nodiscard]] OsResult<std::uint64_t> held_capabilities();

// No core dump, not traceable by others, no memory visible through /proc.
[[nodiscard]] OsResult<void> forbid_dumps();

// Kills the process that tries to start a program, trace, mount, load a module, enter a namespace … (reliability rule
// S5).
[[nodiscard]] OsResult<void> forbid_dangerous_calls();

// Kills the process that makes any call keyd does not need. After everything is opened.
[[nodiscard]] OsResult<void> allow_only_key_calls();

// Kills the process that makes any call but those of memory, of writing to what is open, and of its own end.
[[nodiscard]] OsResult<void> allow_only_computing();

}  // namespace gateway::os
