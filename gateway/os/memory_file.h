// Octets as an open file that nobody can change any more: for handing over what is long.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {

// Sealed: neither grows, shrinks nor is written to.
[[nodiscard]] OsResult<FileDescriptor> memory_file(const char* name, std::span<const std::uint8_t> octets);
// All of it, from its beginning; more than `most` octets are an error.
[[nodiscard]] OsResult<std::vector<std::uint8_t>> read_memory_file(const FileDescriptor& file, std::size_t most);

}  // namespace gateway::os
