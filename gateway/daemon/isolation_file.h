// The orders of isolation, kept in the state folder by themselves ("isolation.json"), so that neither a configuration
// nor a plan that is kept can lift one. JSON, so that a person can read it while everything else is broken.
#pragma once

#include <string>

#include "gateway/os/error.h"
#include "policy/isolation.h"

namespace gateway::daemon {

// Durable when it returns without an error; else what was there before still is.
[[nodiscard]] os::OsResult<void> keep_isolation(const std::string& state_directory, const policy::Isolation& isolation);

// No file: nothing is isolated. A file that cannot be read, or is not exactly what keep_isolation writes, is an error:
// see everything_isolated().
[[nodiscard]] os::OsResult<policy::Isolation> read_isolation(const std::string& state_directory);

// A file that could not be read is kept beside, for a person: its orders are not known, and the next keep_isolation
// would be over them.
void set_isolation_aside(const std::string& state_directory);
[[nodiscard]] std::string isolation_aside(const std::string& state_directory);  // its path

// What holds when the orders that were kept cannot be known: the emergency stop, until a person ends it.
[[nodiscard]] policy::Isolation everything_isolated(const std::string& why, config::value::WallTime now);

// For tests and fuzzing: the file's text. The error is a sentence.
[[nodiscard]] std::string isolation_text(const policy::Isolation& isolation);
[[nodiscard]] config::value::Result<policy::Isolation, std::string> parse_isolation(std::string_view text);

}  // namespace gateway::daemon
