// <state>/rule-uses: when each permission was last used (gateway/audit/rule_uses.h), kept over restarts.
#pragma once

#include <optional>
#include <string>

#include "config/value/result.h"
#include "gateway/os/error.h"
#include "policy/line_use.h"

namespace gateway::daemon {

[[nodiscard]] os::OsResult<void> keep_uses(const std::string& state_directory, const policy::RuleUses& uses);
// Empty: nothing is kept yet. The error is a sentence that names the file; what is damaged is not used.
[[nodiscard]] config::value::Result<std::optional<policy::RuleUses>, std::string> read_uses(
    const std::string& state_directory);

}  // namespace gateway::daemon
