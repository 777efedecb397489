// Small files of the state folder: read whole with a cap, replaced whole (write beside, fsync, rename, fsync the
// folder), so that a crash leaves the old or the new one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// Empty when there is no such file.
[[nodiscard]] OsResult<std::optional<std::vector<std::uint8_t>>> read_state_file(const std::string& path,
                                                                                 std::size_t most);

// 0600; makes the folder of `path` (0700) when it is missing.
[[nodiscard]] OsResult<void> replace_state_file(const std::string& path, std::span<const std::uint8_t> octets);

// A new file with `mode`; one that is there already is an error, never overwritten.
[[nodiscard]] OsResult<void> create_file(const std::string& path, std::string_view text, unsigned mode);

// `path` becomes the file of `next`; what it was is then found at `kept`, in the place of what was there. At each
// moment `path` names the old file or the new one, whole; after a crash between, the same call completes it.
[[nodiscard]] OsResult<void> turn_over(const std::string& next, const std::string& path, const std::string& kept);
// The two change their names at once (RENAME_EXCHANGE: not every file system has it, those of local disks do).
[[nodiscard]] OsResult<void> exchange_files(const std::string& one, const std::string& other);

// `path` becomes a second name of `file`, which is durable already, in the place of what was there; its folder is made
// (0700) when it is missing. Nothing is written twice, and a crash leaves the old file or the new one.
[[nodiscard]] OsResult<void> link_state_file(const std::string& file, const std::string& path);

// Takes back a file that was just made. A failure is not told.
void discard_file(const std::string& path);

// With `mode` less the umask; one that is there already is good and keeps its mode. Its parent must be there.
[[nodiscard]] OsResult<void> make_folder(const std::string& path, unsigned mode);

// Holds `folder` for one gateway, by the file "lock" in it, as long as the descriptor lives; the kernel lets go of it
// however the process ends. An error when another holds it.
[[nodiscard]] OsResult<FileDescriptor> lock_folder(const std::string& folder);

}  // namespace gateway::os
