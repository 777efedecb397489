// Small files of the state folder: read whole with a cap, replaced whole (write beside, fsync, rename, fsync the
// folder), so that a crash leaves the old or the new one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/os/error.h"

namespace gateway::os {

// Empty when there is no such file.
[[nodiscard]] OsResult<std::optional<std::vector<std::uint8_t>>> read_state_file(const std::string& path,
                                                                                 std::size_t most);

// 0600; makes the folder of `path` (0700) when it is missing.
[[nodiscard]] OsResult<void> replace_state_file(const std::string& path, std::span<const std::uint8_t> octets);

// A new file with `mode`; one that is there already is an error, never overwritten.
[[nodiscard]] OsResult<void> create_file(const std::string& path, std::string_view text, unsigned mode);

}  // namespace gateway::os
