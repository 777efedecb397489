// What accessd must remember over its own death, beside the records: the last plan that ran (so that a broken
// configuration on disk does not leave the gateway closed after a restart), its generation, and the handshake time
// stamp floor (S18).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/daemon/kept_change.h"
#include "gateway/os/error.h"

namespace gateway::daemon {

using LastGood = KeptChange;

// Writes it whole: for a plan that the history has not.
[[nodiscard]] os::OsResult<void> keep_last_good(const std::string& state_directory, const LastGood& kept);
// The file of a change that the history holds, and that is durable, is the last good one from now on too: a second name
// for it, nothing is written twice.
[[nodiscard]] os::OsResult<void> link_last_good(const std::string& state_directory, const std::string& file);
// Empty when nothing was kept, or it is damaged or of another version: a digest and a version stand before it.
[[nodiscard]] std::optional<LastGood> read_last_good(const std::string& state_directory);
[[nodiscard]] config::value::Generation read_last_generation(const std::string& state_directory);

[[nodiscard]] os::OsResult<void> keep_timestamp_floor(const std::string& state_directory, std::uint64_t seconds);
// 0 when nothing was kept yet. An error, a sentence for a person, when there is a file and it is not what we wrote:
// then the clock alone must do, and peers that saw later timestamps than it gives do not answer our calls until it is
// there.
[[nodiscard]] os::OsResult<std::uint64_t> read_timestamp_floor(const std::string& state_directory);

}  // namespace gateway::daemon
